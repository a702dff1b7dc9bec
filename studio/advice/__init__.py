"""Recommendations: designs for a task and a budget, ranked, with reasons and published evidence.
`sizing` finds the size of a design within the limits."""
