"""Expansion levels: level 0 shows the outermost boxes, each further level opens one more layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from studio.drawing.graph import Graph, Node

StillClosed = Literal["nothing", "long blocks", "other blocks"]

LONG_BLOCK = 12  # operations: a longer block without layers is clearer closed
MAX_BOXES = 600  # boxes in one picture: more are unreadable and slow down the page


def levels(graph: Graph, most: int = MAX_BOXES) -> tuple[frozenset[str], ...]:
    """The ids of the open blocks at level 0 (none), level 1 (the outermost blocks), and so on.

    Stops before the first level with more than `most` boxes; level 0 is always included. Long
    blocks without layers (RoI pooling, non-maximum suppression) stay closed at every level.
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
    """Which blocks are still closed: none, only long blocks without layers, or others as well."""
    blocks = [node for node in _visible_blocks(graph.root, opened) if node.id not in opened]
    return "other blocks" if any(map(_opens, blocks)) else "long blocks" if blocks else "nothing"


def _visible_blocks(block: Node, opened: frozenset[str]) -> Iterator[Node]:
    """The visible blocks, open or closed."""
    for node in block.children:
        if node.children:
            yield node
        if node.id in opened:
            yield from _visible_blocks(node, opened)
