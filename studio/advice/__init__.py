"""From a task and a budget to a design, with reasons."""
