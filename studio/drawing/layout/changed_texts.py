"""What the boxes of a graph say, and whether another graph differs from it in that alone."""

from __future__ import annotations

from studio.drawing.graph import Graph, Node
from studio.drawing.layout.box_text import detail_text, frame_title, title_text
from studio.drawing.visible import visible_graph

BoxTexts = tuple[str, ...]  # of a box, from top to bottom


def changed_texts(
    before: Graph, after: Graph, opened: frozenset[str]
) -> tuple[tuple[str, BoxTexts], ...] | None:
    """The boxes that say something else, by id, with their new texts; None if the pictures with
    these blocks open differ in more than that."""
    old, new = visible_graph(before, opened), visible_graph(after, opened)
    if old != new:
        return None
    here, there = _nodes(before), _nodes(after)
    changed = []
    for name in old.paths:
        a, b = (
            _texts(node, name in opened and bool(node.children))
            for node in (here[name], there[name])
        )
        if len(a) != len(b) or here[name].kind != there[name].kind:
            return None
        if a != b:
            changed.append((name, b))
    return tuple(changed)


def _nodes(graph: Graph) -> dict[str, Node]:
    return {node.id: node for node in graph.root.walk()}


def _texts(node: Node, is_open: bool) -> BoxTexts:
    """What `render.svg` writes on a box."""
    if is_open:
        return (frame_title(node),)
    if node.is_symbol:
        return (node.label,)
    return tuple(filter(None, (title_text(node), detail_text(node))))
