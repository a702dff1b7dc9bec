"""A graph in the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Mapping

import graphviz

from studio.drawing.decoration import (
    CHANGE_HUES,
    CHANGE_SIGNS,
    NO_MARK,
    NO_MARKS,
    Mark,
    heat_colours,
)
from studio.drawing.figure import Heading
from studio.drawing.graph import Graph, Node
from studio.drawing.render.svg import PAPER
from studio.drawing.visible import visible_graph

SHAPES = {
    "input": {"shape": "box", "style": "rounded,filled", "fillcolor": "#eceff2"},
    "output": {"shape": "box", "style": "rounded,filled", "fillcolor": "#eceff2"},
    "module": {"shape": "box", "style": "filled", "fillcolor": "#e7f0f9"},
    "operation": {"shape": "ellipse", "style": "filled", "fillcolor": "#ffffff"},
    "parameter": {"shape": "box", "style": "dashed,filled", "fillcolor": "#fdf1dc"},
    "fault": {"shape": "box", "style": "dashed,filled", "fillcolor": "#fbe3e0", "color": "#c0392b"},
}
FRAME = {"style": "rounded", "color": "#c3ccd6"}


def dot(
    graph: Graph,
    opened: frozenset[str] = frozenset(),
    heading: Heading | None = None,
    marks: Mapping[str, Mark] = NO_MARKS,
) -> str:
    """The visible graph as DOT text, with a cluster for each open block. Heat and change of `marks`
    are drawn; a share is only in the tooltip."""
    seen = visible_graph(graph, opened)
    drawn = graphviz.Digraph(
        graph.root.label or "model",
        graph_attr={"rankdir": "TB", "fontname": "Helvetica", "compound": "true"},
        node_attr={"fontname": "Helvetica", "fontsize": "12"},
        edge_attr={"fontname": "Helvetica", "fontsize": "10"},
    )
    # Graphviz cannot draw edges to clusters: they go to the first child of the open block.
    ends: dict[str, str] = {}
    for node in graph.root.children:
        _add(drawn, node, frozenset(seen.paths), marks, ends)
    for edge in seen.edges:
        text = f"next repeat: {edge.label}" if edge.feedback else edge.label
        style = "dashed" if edge.feedback else "solid"
        source, target = ends[edge.source], ends[edge.target]
        drawn.edge(source, target, label=graphviz.escape(text), style=style)
    if heading:  # last: clusters inherit graph attributes set before them
        lines = map(graphviz.escape, heading.lines)
        drawn.attr(label=r"\n".join((*lines, " ")), labelloc="t", fontsize="16")
    return str(drawn.source)


def _add(
    drawn: graphviz.Digraph,
    node: Node,
    seen: frozenset[str],
    marks: Mapping[str, Mark],
    ends: dict[str, str],
) -> str:
    """Add a node, or a cluster if it is open. Returns the id that its edges connect to."""
    mark = marks.get(node.id, NO_MARK)
    name = node.label + (f" × {node.repeat}" if node.repeat > 1 else "")
    name = f"{CHANGE_SIGNS[mark.change]} {name}" if mark.change in CHANGE_SIGNS else name
    if not any(child.id in seen for child in node.children):
        text = graphviz.escape(name + (f"\n{node.detail}" if node.detail else ""))
        ends[node.id] = _dot_id(node.id)
        drawn.node(
            ends[node.id],
            text.replace("\n", r"\n"),
            **SHAPES[node.kind] | _heat_style(mark) | _change_style(mark),
        )
        return ends[node.id]
    with drawn.subgraph(name=f"cluster_{_dot_id(node.id)}") as cluster:
        # Only the frame shows the heat: edges would be invisible on a dark background.
        heat = {} if mark.heat is None else {"color": heat_colours(mark.heat)[0], "penwidth": "4"}
        cluster.attr(label=graphviz.escape(name), **FRAME | heat | _change_style(mark))
        first = [_add(cluster, child, seen, marks, ends) for child in node.children]
    ends[node.id] = first[0]
    return first[0]


def _heat_style(mark: Mark) -> dict[str, str]:
    """The colours of a box with a heat."""
    if mark.heat is None:
        return {}
    fill, ink = heat_colours(mark.heat)
    return {"fillcolor": fill, "fontcolor": ink}


def _change_style(mark: Mark) -> dict[str, str]:
    """The border of a changed box or cluster, and the tooltip."""
    note = {"tooltip": graphviz.escape(mark.note)} if mark.note else {}
    if mark.change not in CHANGE_HUES:
        return note
    return note | {"color": PAPER[CHANGE_HUES[mark.change]], "penwidth": "2"}


def _dot_id(name: str) -> str:
    """A node id without colons, which DOT reads as ports."""
    return name.replace(":", "_")
