"""The visible part of a graph when only some of its blocks are open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.drawing.graph import Edge, Graph, Node, without_dim_names

Path = tuple[str, ...]


@dataclass(frozen=True)
class VisibleGraph:
    """The visible part of a graph.

    `paths`: the ids from the outermost block down to each visible node. `edges`: edges between
    visible nodes. `outputs`: the shapes that leave a visible node, one for each node inside it that
    produces an output.
    """

    paths: dict[str, Path]
    edges: tuple[Edge, ...]
    outputs: dict[str, tuple[str, ...]]


def visible_graph(graph: Graph, opened: frozenset[str]) -> VisibleGraph:
    """Lift every edge to the innermost visible nodes around its ends, and merge parallel edges.

    An edge inside one box, or between a box and a block around it, is dropped. A merged edge joins
    the labels of its parts. Raises KeyError if an edge names a node that does not exist.
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
    forward: set[tuple[str, str]] = set()  # edges that are not only feedback
    for edge in graph.edges:
        source, target = seen_as[edge.source], seen_as[edge.target]
        if source and target and not _is_around(paths[source], paths[target]):
            label = edge.label_between(source, target)
            labels.setdefault((source, target), {})[label] = None
            if not edge.feedback:
                forward.add((source, target))
            makers.setdefault(source, {}).setdefault(edge.source, label)
    edges = tuple(
        Edge(*ends, join_labels(tuple(texts)), feedback=ends not in forward)
        for ends, texts in labels.items()
    )
    outputs = {source: tuple(shapes.values()) for source, shapes in makers.items()}
    return VisibleGraph(paths, edges, outputs)


def join_labels(labels: Iterable[str], most: int = 2) -> str:
    """Join at most `most` labels into one text, followed by the number of those left out.

    Labels that differ only in names of dimensions, `(B, N, D) = (1, 197, 768)`, count as one.
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


def _is_around(a: Path, b: Path) -> bool:
    """True if the paths are equal, or one of the nodes is around the other."""
    short = min(len(a), len(b))
    return a[:short] == b[:short]
