"""How far a graph is unfolded: level 0 shows its outermost boxes, each level opens one more."""

from __future__ import annotations

from studio.drawing.graph import Graph, Node

LONG = 12  # operations that are read one by one; with more the block's name says it better
MOST = 600  # boxes at once: nobody reads more, and the page would take too long


def levels(graph: Graph, most: int = MOST) -> tuple[frozenset[str], ...]:
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
    long = len(node.children) > LONG and not any(child.kind == "module" for child in node.children)
    return bool(node.children) and not long


def is_whole(graph: Graph, opened: frozenset[str]) -> bool:
    """Whether no block is left closed."""
    return all(node.id in opened for node in graph.root.walk() if node.children and node.id)
