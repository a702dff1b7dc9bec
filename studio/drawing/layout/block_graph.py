"""The graph inside one block: its children, the ports on its frame, and the data between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class End(NamedTuple):
    """Where a segment starts or stops: at a child of the block (port ""), or at a port on the frame
    through which the output of the node `name` enters ("in") or leaves ("out")."""

    port: Literal["", "in", "out"]
    name: str


class Segment(NamedTuple):
    """The part of an edge inside one block. `origin` is the node whose output flows there."""

    tail: End
    head: End
    origin: str


@dataclass(frozen=True)
class Block:
    """The input of the first phase.

    `open`: children that are drawn with their own children. `late`: children that, without inputs,
    are ranked just above the first child they feed instead of first. `parameters`: children that
    are drawn beside the box they feed, if they feed no other. `input_order`: the nodes whose
    outputs enter the block, from left to right.
    """

    children: tuple[str, ...]
    segments: tuple[Segment, ...]
    open: frozenset[str]
    late: frozenset[str]
    parameters: frozenset[str]
    input_order: tuple[str, ...] = ()

    def has_side_docks(self, end: End) -> bool:
        """True for a closed child: a lane may enter it at its side."""
        return not end.port and end.name not in self.open


def companions(block: Block) -> dict[str, Segment]:
    """The children with a companion at their left: a parameter that feeds only them."""
    feeds: dict[str, list[Segment]] = {}
    for segment in block.segments:
        if segment.tail.name in block.parameters and not segment.tail.port:
            feeds.setdefault(segment.tail.name, []).append(segment)
    with_inputs = {segment.head.name for segment in block.segments if not segment.head.port}
    found: dict[str, Segment] = {}
    for child, segments in feeds.items():
        target = segments[0].head
        alone = len(segments) == 1 and not target.port and child not in with_inputs
        if alone and target.name not in block.open and target.name not in feeds:
            found.setdefault(target.name, segments[0])
    return found
