"""The headline figures of a design, and its latency card."""
