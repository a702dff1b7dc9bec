"""Sizes and positions in pixels: what a block contains, and the block laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from studio.drawing.layout.block_graph import Segment

Point = tuple[float, float]

PAD = 16.0  # between the content of a block and its frame
TITLE_BAR = 26.0  # height of the title of an open block
TRACK = 9.0  # between parallel tracks in a channel
LANE = 14.0  # between lanes, and between the boxes and the first lane
STUB, TEXT, TIP = 8.0, 13.0, 16.0  # parts of a channel: below a box, the label, the arrow head


class Size(NamedTuple):
    """The size of a box. `cards`: how much of it the cards behind a repeated block take."""

    w: float
    h: float
    cards: float = 0.0


class Rect(NamedTuple):
    x: float
    y: float
    w: float
    h: float


class Route(NamedTuple):
    """The corners of a line, and whether it is a bypass."""

    points: tuple[Point, ...]
    bypass: bool


@dataclass(frozen=True)
class BlockLayout:
    """A block laid out, relative to its upper left corner.

    `ins` and `outs`: the x of the ports on the upper and the lower edge, by node. `labels`: where
    the label of a child starts (base line).
    """

    width: float
    height: float
    boxes: dict[str, Rect]
    ins: dict[str, float]
    outs: dict[str, float]
    routes: dict[Segment, Route]
    labels: dict[str, Point]

    def exits(self) -> dict[str, float]:
        """Where outputs leave the block, from 0 (left edge) to 1."""
        return {name: x / self.width for name, x in self.outs.items()}

    def upside_down(self) -> BlockLayout:
        """The block mirrored from top to bottom, for data that flows upwards; labels stay above
        their boxes."""
        boxes = {
            name: Rect(x, self.height - y - h, w, h) for name, (x, y, w, h) in self.boxes.items()
        }
        routes = {
            segment: Route(tuple((x, self.height - y) for x, y in points), bypass)
            for segment, (points, bypass) in self.routes.items()
        }
        labels = {name: (x, self.height - y + 6) for name, (x, y) in self.labels.items()}
        return replace(self, boxes=boxes, routes=routes, labels=labels)


@dataclass(frozen=True)
class BlockContent:
    """Sizes of what is in one block.

    `inner`: the layouts of the open children. `label_widths`: how far a label reaches to the right
    of the line that it stands beside. `network_outputs`: children of kind output; they are aligned
    last. `title_width`: 0 without a frame. `upwards`: data flows from the bottom to the top.
    """

    sizes: Mapping[str, Size]
    inner: Mapping[str, BlockLayout]
    label_widths: Mapping[str, float]
    network_outputs: frozenset[str]
    title_width: float
    upwards: bool = False

    def middle(self, child: str) -> float:
        """The x of the middle of a child's front card, from its left edge."""
        size = self.sizes[child]
        return (size.w - size.cards) / 2

    def port_x(self, child: str, origin: str) -> float:
        """The x at which the output of a node enters or leaves a child, from its left edge: at the
        port of an open block, else in the middle."""
        middle, inner = self.middle(child), self.inner.get(child)
        return inner.outs.get(origin, inner.ins.get(origin, middle)) if inner else middle

    def label_x(self, child: str) -> float:
        """The x of the last line that leaves a child, from its left edge."""
        inner = self.inner.get(child)
        return max(self.middle(child), *(inner.outs.values() if inner else ()), 0.0)

    def companion_width(self, companion: str) -> float:
        """The width of a parameter beside a child, with the arrow and its label."""
        return self.sizes[companion].w + max(26.0, self.label_widths.get(companion, 0.0) + 10)
