"""How far a graph is unfolded: level 0 shows its outermost boxes, each level opens one more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from studio.drawing.graph import Graph, Node

StillClosed = Literal["nothing", "long", "more"]

LONG_BLOCK = 12  # operations that are read one by one; with more the block's name says it better
MAX_BOXES = 600  # boxes at once: nobody reads more, and the page would take too long


def levels(graph: Graph, most: int = MAX_BOXES) -> tuple[frozenset[str], ...]:
    """The blocks that are open at level 0 (none), level 1 (the outermost), and so on.

    There are as many levels as show at most `most` boxes each, and level 0 in any case: where the
    last one leaves blocks closed, one level more would show too many. Long computations without a
    layer in them (region pooling, the choice of detections) stay closed.
    """
    found: list[frozenset[str]] = [frozenset()]
    blocks = [node for node in graph.root.children if _opens(node)]
    shown = len(graph.root.children)
    while blocks:
        shown += sum(len(block.children) for block in blocks)
        if shown > most:
            break
        found.append(found[-1] | {block.id for block in blocks})
        blocks = [node for block in blocks for node in block.children if _opens(node)]
    return tuple(found)


def _opens(node: Node) -> bool:
    long = len(node.children) > LONG_BLOCK and not any(
        child.kind == "module" for child in node.children
    )
    return bool(node.children) and not long


def still_closed(graph: Graph, opened: frozenset[str]) -> StillClosed:
    """What is left closed: nothing, long computations alone, or more than could be shown."""
    blocks = [node for node in _reached(graph.root, opened) if node.id not in opened]
    return "more" if any(map(_opens, blocks)) else "long" if blocks else "nothing"


def _reached(block: Node, opened: frozenset[str]) -> Iterator[Node]:
    """The blocks that are seen, open or closed."""
    for node in block.children:
        if node.children:
            yield node
        if node.id in opened:
            yield from _reached(node, opened)
