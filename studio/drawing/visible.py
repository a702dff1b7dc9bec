"""What flows between the boxes that can be seen, when only some blocks are open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.drawing.graph import Edge, Graph, Node, without_dim_names

Path = tuple[str, ...]


@dataclass(frozen=True)
class VisibleGraph:
    """The visible part of a graph: each visible node's path from the top, the edges there, and what
    a node hands on: a label for each box in it that makes some of that."""

    paths: dict[str, Path]
    edges: tuple[Edge, ...]
    outputs: dict[str, tuple[str, ...]]


def visible_graph(graph: Graph, opened: frozenset[str]) -> VisibleGraph:
    """Lift every edge to the nearest visible nodes, and merge those that fall together.

    An edge whose ends fall into one box, or into a box and a block around it, is not seen. A merged
    edge carries the labels of all its parts. Raises KeyError for an edge that names no node.
    """
    paths: dict[str, Path] = {}
    seen_as: dict[str, str] = {graph.root.id: ""}
    for node, path in _visible(graph.root, (), opened):
        paths[node.id] = path
        seen_as[node.id] = node.id
        if node.children and node.id not in opened:
            seen_as |= {below.id: node.id for below in node.walk()}
    labels: dict[tuple[str, str], dict[str, None]] = {}
    makers: dict[str, dict[str, str]] = {}
    onward: set[tuple[str, str]] = set()  # what is for more than a next repeat
    for edge in graph.edges:
        source, target = seen_as[edge.source], seen_as[edge.target]
        if source and target and not _nested(paths[source], paths[target]):
            label = edge.label_between(source, target)
            labels.setdefault((source, target), {})[label] = None
            if not edge.feedback:
                onward.add((source, target))
            makers.setdefault(source, {}).setdefault(edge.source, label)
    edges = tuple(
        Edge(*ends, join_labels(tuple(texts)), feedback=ends not in onward)
        for ends, texts in labels.items()
    )
    handed = {source: tuple(made.values()) for source, made in makers.items()}
    return VisibleGraph(paths, edges, handed)


def join_labels(labels: Iterable[str], most: int = 2) -> str:
    """Several labels as one short text: at most so many of them, and how many more there are.

    Labels that name the axes of one shape differently, `(B, N, D) = (1, 197, 768)`, are one.
    """
    texts: dict[str, str] = {}
    for label in filter(None, labels):
        texts.setdefault(without_dim_names(label), label)
    more = f" + {len(texts) - most} more" if len(texts) > most else ""
    return " · ".join(tuple(texts.values())[:most]) + more


def _visible(block: Node, path: Path, opened: frozenset[str]) -> Iterator[tuple[Node, Path]]:
    for node in block.children:
        here = (*path, node.id)
        yield node, here
        if node.id in opened:
            yield from _visible(node, here, opened)


def _nested(a: Path, b: Path) -> bool:
    short = min(len(a), len(b))
    return a[:short] == b[:short]
