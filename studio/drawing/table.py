"""The visible graph as rows, for those who do not see the picture: what it says, in its order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from studio.drawing.flow import flow, joined
from studio.drawing.graph import Figures, Graph, Node


class Row(NamedTuple):
    """A box: what it is called, how deep it stands, the boxes that feed it (the next repeat of its
    block included), the shape that it hands on, and what all its repeats cost."""

    id: str
    name: str
    depth: int
    fed_by: tuple[str, ...]
    hands_on: str
    figures: Figures


def table(graph: Graph, opened: frozenset[str] = frozenset()) -> tuple[Row, ...]:
    """A row for each box that is seen with the blocks named in `opened` open, in the order of the
    data flow. Boxes of one name are numbered."""
    seen = flow(graph, opened)
    nodes = [node for node in graph.root.walk() if node.id in seen.paths]
    names = numbered(nodes)
    fed: dict[str, list[str]] = {}
    for edge in seen.edges:
        fed.setdefault(edge.target, []).append(names[edge.source])
    return tuple(
        Row(
            id=node.id,
            name=names[node.id] + (f" × {node.repeat}" if node.repeat > 1 else ""),
            depth=len(seen.paths[node.id]) - 1,
            fed_by=tuple(fed.get(node.id, ())),
            hands_on=joined(seen.handed.get(node.id, ())),
            figures=node.figures,
        )
        for node in nodes
    )


def numbered(nodes: Sequence[Node]) -> dict[str, str]:
    """The names of nodes by their ids, with numbers where several have one name."""
    total, number = Counter(node.label for node in nodes), Counter[str]()
    names = {}
    for node in nodes:
        number[node.label] += 1
        many = total[node.label] > 1
        names[node.id] = f"{node.label} ({number[node.label]})" if many else node.label
    return names
