"""How far a graph is unfolded: level 0 shows its outermost boxes, each level opens one more."""

from __future__ import annotations

from studio.drawing.graph import Graph

MOST = 600  # boxes at once: nobody reads more, and the page would take too long


def levels(graph: Graph, most: int = MOST) -> tuple[frozenset[str], ...]:
    """The blocks that are open at level 0 (none), level 1 (the outermost), and so on.

    There are as many levels as show at most `most` boxes each, and level 0 in any case: where the
    last one leaves blocks closed, one level more would show too many.
    """
    found: list[frozenset[str]] = [frozenset()]
    blocks = [node for node in graph.root.children if node.children]
    shown = len(graph.root.children)
    while blocks:
        shown += sum(len(block.children) for block in blocks)
        if shown > most:
            break
        found.append(found[-1] | {block.id for block in blocks})
        blocks = [node for block in blocks for node in block.children if node.children]
    return tuple(found)


def is_whole(graph: Graph, opened: frozenset[str]) -> bool:
    """Whether no block is left closed."""
    return all(node.id in opened for node in graph.root.walk() if node.children and node.id)
