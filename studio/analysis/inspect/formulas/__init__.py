"""Costs as formulas: `formula` (the value), `layer_cost` (one layer), `node_cost` (a node of the
graph)."""
