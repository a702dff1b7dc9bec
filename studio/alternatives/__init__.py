"""Settings in the place of others: the nearest that work, and sizes for ratios."""
