"""A graph in the DOT language, for those who go on in Graphviz."""

from __future__ import annotations

import graphviz

from studio.drawing.flow import flow
from studio.drawing.graph import Graph, Node
from studio.drawing.sheet import Heading

SHAPES = {
    "input": {"shape": "box", "style": "rounded,filled", "fillcolor": "#eceff2"},
    "output": {"shape": "box", "style": "rounded,filled", "fillcolor": "#eceff2"},
    "module": {"shape": "box", "style": "filled", "fillcolor": "#e7f0f9"},
    "operation": {"shape": "ellipse", "style": "filled", "fillcolor": "#ffffff"},
    "parameter": {"shape": "box", "style": "dashed,filled", "fillcolor": "#fdf1dc"},
    "fault": {"shape": "box", "style": "dashed,filled", "fillcolor": "#fbe3e0", "color": "#c0392b"},
}


def dot(graph: Graph, opened: frozenset[str] = frozenset(), heading: Heading | None = None) -> str:
    """The visible graph as DOT text, with a cluster for each open block, below its heading."""
    seen = flow(graph, opened)
    sheet = graphviz.Digraph(
        graph.root.label or "model",
        graph_attr={"rankdir": "TB", "fontname": "Helvetica", "compound": "true"},
        node_attr={"fontname": "Helvetica", "fontsize": "12"},
        edge_attr={"fontname": "Helvetica", "fontsize": "10"},
    )
    # Graphviz has no edges to clusters: an edge to an open block's frame goes to its first child.
    ends: dict[str, str] = {}
    for node in graph.root.children:
        _add(sheet, node, frozenset(seen.paths), ends)
    for edge in seen.edges:
        sheet.edge(ends[edge.source], ends[edge.target], label=graphviz.escape(edge.label))
    if heading:  # last, since clusters take over what is said of the graph before them
        lines = map(graphviz.escape, heading.lines)
        sheet.attr(label=r"\n".join((*lines, " ")), labelloc="t", fontsize="16")
    return str(sheet.source)


def _add(sheet: graphviz.Digraph, node: Node, seen: frozenset[str], ends: dict[str, str]) -> str:
    """Write a node, or the cluster that it is while open; returns where its edges are tied."""
    name = node.label + (f" × {node.repeat}" if node.repeat > 1 else "")
    if not any(child.id in seen for child in node.children):
        text = graphviz.escape(name + (f"\n{node.detail}" if node.detail else ""))
        ends[node.id] = _quoted(node.id)
        sheet.node(ends[node.id], text.replace("\n", r"\n"), **SHAPES[node.kind])
        return ends[node.id]
    with sheet.subgraph(name=f"cluster_{_quoted(node.id)}") as cluster:
        cluster.attr(label=graphviz.escape(name), style="rounded", color="#c3ccd6")
        first = [_add(cluster, child, seen, ends) for child in node.children]
    ends[node.id] = first[0]
    return first[0]


def _quoted(name: str) -> str:
    """A node's name without the colon, which DOT reads as a port."""
    return name.replace(":", "_")
