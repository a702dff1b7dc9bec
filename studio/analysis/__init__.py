"""Figures of a design, found without running it: `trace` runs the model on the meta device once,
`cost` counts, `names` finds names, `graph` builds the layer graph, and `inspect` explains one
node.

Read `trace/tree.py` first, then `cost/profiler.py` and `graph/layer_graph.py`.
"""
