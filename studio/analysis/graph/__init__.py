"""The layer graph of a trace and what is shown on it. Read `layer_graph`, then `cost_heatmap`
and `design_diff`."""
