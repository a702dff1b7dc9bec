"""The U of a U-Net: down at the left, through the bottom, up at the right.

A block is drawn like this if its children form one chain with nested skips; each skip then joins
two boxes at the same height (Ronneberger et al. 2015, figure 1). This replaces phases 2 to 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from studio.drawing.layout.block_graph import Segment
from studio.drawing.layout.geometry import (
    LANE,
    STUB,
    TEXT,
    TIP,
    TRACK,
    BlockContent,
    BlockLayout,
    Point,
    Rect,
    Route,
)
from studio.drawing.layout.ranking import Ranked

MIN_SKIPS = 2  # nested skips from which on a U is clearer than a column
BEND_GAP = STUB + TEXT + 5.0  # between an open block and a line that turns below it


@dataclass(frozen=True)
class UShape:
    """A chain of children with nested `skips`, the outermost first. `bottom`: the index of the
    child below both arms."""

    chain: tuple[Segment, ...]
    skips: tuple[Segment, ...]
    bottom: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All children in the order of the data flow."""
        return (self.chain[0].tail.name, *(segment.head.name for segment in self.chain))

    @cached_property
    def down(self) -> tuple[str, ...]:
        """The children of the left arm, from the top down."""
        return self.names[: self.bottom]

    @cached_property
    def up(self) -> tuple[str, ...]:
        """The children of the right arm, from the bottom up."""
        return self.names[self.bottom + 1 :]

    @cached_property
    def upwards(self) -> frozenset[str]:
        """The children in which data flows upwards."""
        return frozenset(self.up)

    @property
    def lowest(self) -> str:
        """The child at the bottom."""
        return self.names[self.bottom]

    def incoming(self, child: str) -> tuple[str, ...]:
        """The nodes whose outputs enter a child, from left to right: skips come from the left."""
        return tuple(s.origin for s in (*self.skips, *self.chain) if s.head.name == child)


@dataclass(frozen=True)
class Arms:
    """A U with the sizes of its children."""

    shape: UShape
    content: BlockContent

    def height(self, child: str) -> float:
        return self.content.sizes[child].h

    def is_open(self, child: str) -> bool:
        return child in self.content.inner


@dataclass(frozen=True)
class PlacedArms:
    """A U with the upper left corners of its children, and the x between its arms at which skips
    between different heights turn."""

    arms: Arms
    tops: dict[str, float]
    lefts: dict[str, float]
    height: float
    middle_x: float

    def port_x(self, child: str, origin: str) -> float:
        return self.lefts[child] + self.arms.content.port_x(child, origin)

    def foot(self, child: str) -> float:
        return self.tops[child] + self.arms.height(child)

    def middle_y(self, child: str) -> float:
        """The y of the middle of the front card."""
        size = self.arms.content.sizes[child]
        return self.tops[child] + (size.h + size.cards) / 2


def find_u_shape(ranked: Ranked) -> UShape | None:
    """The U that a block forms, or None."""
    chain, skips = (
        sorted(segments, key=lambda segment: ranked.vertex[segment.tail])
        for segments in (ranked.chains, ranked.bypasses)
    )
    links = [(ranked.vertex[segment.tail], ranked.vertex[segment.head]) for segment in chain]
    spans = [(ranked.vertex[segment.tail], ranked.vertex[segment.head]) for segment in skips]
    is_chain = links == list(pairwise(range(len(ranked.ends)))) and not ranked.companions
    has_ports = any(end.port for end in ranked.ends)
    nested = all(a < c < d < b for (a, b), (c, d) in pairwise(spans))
    if has_ports or not is_chain or not nested or len(spans) < MIN_SKIPS:
        return None
    first, last = spans[-1]
    if first > last:
        return None
    return UShape(tuple(chain), tuple(skips), first + 1 + (last - first - 1) // 2)


def lay_out_u(shape: UShape, content: BlockContent) -> BlockLayout:
    """The coordinates of a U: heights, then columns, then lines."""
    arms = Arms(shape, content)
    tops, height = _stack(arms)
    lefts, middle_x = _spread(arms)
    placed = PlacedArms(arms, tops, lefts, height, middle_x)
    routes = {s: Route(_chain_line(placed, s), bypass=False) for s in shape.chain}
    routes |= {s: Route(_skip_line(placed, s), bypass=True) for s in shape.skips}
    boxes = {name: Rect(lefts[name], tops[name], *content.sizes[name][:2]) for name in shape.names}
    width = max(_right(arms, lefts, name) for name in shape.names)
    labels = {name: _label(placed, name) for name in shape.names}
    return BlockLayout(width, height, boxes, {}, {}, routes, labels)


def _stack(arms: Arms) -> tuple[dict[str, float], float]:
    """The top of every child, and the height of the U. Between two skips, the taller arm decides
    the height of both."""
    shape, content = arms.shape, arms.content
    pairs = [(segment.tail.name, segment.head.name) for segment in shape.skips]
    downs = _runs(shape.down, [tail for tail, _ in pairs])
    ups = _runs(shape.up[::-1], [head for _, head in pairs])
    tops: dict[str, float] = {}
    y, above = 0.0, ("", "")
    for down, up, below in zip(downs, ups, [*pairs, (shape.lowest,) * 2], strict=True):
        runs = [above[0], *down, below[0]], [above[1], *up, below[1]]
        tallest = max(_run_height(arms, run) for run in runs)
        for run in runs:
            tops |= _hang(arms, run, y, tallest - _run_height(arms, run))
        aligned, y = _align(arms, below, y + tallest)
        tops |= aligned
        above = below
    if arms.is_open(shape.lowest):
        return tops, y + BEND_GAP + STUB
    return tops, y + (STUB + TEXT if shape.lowest in content.label_widths else 0.0)


def _align(arms: Arms, pair: tuple[str, str], y: float) -> tuple[dict[str, float], float]:
    """The tops of the two ends of a skip, so that it is horizontal, and the y of the lower foot.

    Two closed boxes have their middles at one height, two open blocks their feet. Beside an open
    block, a closed box has its middle where the skip turns below the block.
    """
    heights = {name: arms.height(name) for name in pair}
    foot = y + max(heights.values())
    any_open = any(map(arms.is_open, pair))
    tops = {}
    for name, height in heights.items():
        if not any_open:
            tops[name] = (y + foot - height) / 2
        elif arms.is_open(name):
            tops[name] = foot - height
        else:
            tops[name] = foot + BEND_GAP - (height + arms.content.sizes[name].cards) / 2
    return tops, max(foot, *(tops[name] + heights[name] for name in pair))


def _run_height(arms: Arms, run: Sequence[str]) -> float:
    """The height between the first and the last box of a run; an empty name is no box."""
    between = sum(arms.height(name) for name in run[1:-1])
    return between + sum(_gap(arms, a, b) for a, b in pairwise(run) if a)


def _hang(arms: Arms, run: Sequence[str], y: float, spare: float) -> dict[str, float]:
    """The tops of the boxes between the ends of a run. The spare height is shared by the gaps; in
    the first run, which has no box above, it is left at the top."""
    more = spare / (len(run) - 1) if run[0] else 0.0
    y += 0.0 if run[0] else spare
    tops = {}
    for above, name in pairwise(run[:-1]):
        y += _gap(arms, above, name) + more if above else 0.0
        tops[name] = y
        y += arms.height(name)
    return tops


def _gap(arms: Arms, above: str, below: str) -> float:
    """The gap between two boxes of an arm, with room for a line that turns off there."""
    source = below if above in arms.shape.upwards else above
    turns = arms.is_open(above)
    labelled = source in arms.content.label_widths or turns
    return STUB + (TEXT if labelled else 0.0) + TIP + (TRACK if turns else 0.0)


def _spread(arms: Arms) -> tuple[dict[str, float], float]:
    """The left edge of every child, each arm on one vertical line; the x between the arms."""
    shape, content = arms.shape, arms.content
    into = {s.head.name: content.port_x(s.head.name, s.origin) for s in shape.chain}
    out = {s.tail.name: content.port_x(s.tail.name, s.origin) for s in shape.chain}
    down, up = _column(shape.down, into, out), _column(shape.up, into, out)
    start = min(down.values())
    down = {name: left - start for name, left in down.items()}
    outside = max(_right(arms, down, name) for name in shape.down)
    inside = min(up.values())
    lowest, first = shape.down[-1], shape.up[0]
    wide = content.sizes[shape.lowest].w
    leaves, enters = down[lowest] + out[lowest], up[first] + into[first]
    shift = max(outside + 2 * LANE - inside, leaves + wide + 4 * LANE - enters)
    lefts = down | {name: left + shift for name, left in up.items()}
    lefts[shape.lowest] = (leaves + enters + shift - wide) / 2
    return lefts, (outside + inside + shift) / 2


def _column(arm: Sequence[str], into: dict[str, float], out: dict[str, float]) -> dict[str, float]:
    """The left edges of an arm's children, so that its lines are straight."""
    x, lefts = 0.0, {}
    for name in arm:
        lefts[name] = x - into.get(name, 0.0)
        x = lefts[name] + out.get(name, 0.0)
    return lefts


def _label_x(arms: Arms, child: str) -> float:
    """The x of the last line that leaves a child, from its left edge."""
    shape = arms.shape
    origins = [s.origin for s in (*shape.chain, *shape.skips) if s.tail.name == child]
    return max((arms.content.port_x(child, origin) for origin in origins), default=0.0)


def _right(arms: Arms, lefts: dict[str, float], child: str) -> float:
    """The right edge of a child, or of its label."""
    label = _label_x(arms, child) + arms.content.label_widths.get(child, 0.0)
    return lefts[child] + max(arms.content.sizes[child].w, label)


def _label(placed: PlacedArms, child: str) -> Point:
    x = placed.lefts[child] + _label_x(placed.arms, child) + 5
    upwards = child in placed.arms.shape.upwards
    return x, placed.tops[child] - 8 if upwards else placed.foot(child) + 14


def _chain_line(placed: PlacedArms, segment: Segment) -> tuple[Point, ...]:
    """The line between two boxes of the chain: straight in an arm, with a corner at the bottom."""
    shape = placed.arms.shape
    a, b = segment.tail.name, segment.head.name
    out, into = placed.port_x(a, segment.origin), placed.port_x(b, segment.origin)
    if a == shape.lowest:
        start = _leave_right(placed, segment)
        return *start, (into, start[-1][1]), (into, placed.foot(b))
    if b == shape.lowest:
        end = _enter_left(placed, segment)
        return (out, placed.foot(a)), (out, end[0][1]), *end
    if a in shape.upwards:
        return (out, placed.tops[a]), (into, placed.foot(b))
    return (out, placed.foot(a)), (into, placed.tops[b])


def _skip_line(placed: PlacedArms, segment: Segment) -> tuple[Point, ...]:
    """The line from the left arm to the right one."""
    start, end = _leave_right(placed, segment), _enter_left(placed, segment)
    return *start, (placed.middle_x, start[-1][1]), (placed.middle_x, end[0][1]), *end


def _leave_right(placed: PlacedArms, segment: Segment) -> tuple[Point, ...]:
    """The start of a line to the right: at the side of a closed box, below an open block."""
    name = segment.tail.name
    if not placed.arms.is_open(name):
        right = placed.lefts[name] + placed.arms.content.sizes[name].w
        return ((right, placed.middle_y(name)),)
    x, foot = placed.port_x(name, segment.origin), placed.foot(name)
    return (x, foot), (x, foot + BEND_GAP)


def _enter_left(placed: PlacedArms, segment: Segment) -> tuple[Point, ...]:
    """The end of a line from the left: at the side of a closed box, at a port of an open block."""
    name = segment.head.name
    if not placed.arms.is_open(name):
        return ((placed.lefts[name], placed.middle_y(name)),)
    x = placed.port_x(name, segment.origin)
    upwards = name in placed.arms.shape.upwards
    y, away = (placed.foot(name), BEND_GAP) if upwards else (placed.tops[name], -TIP)
    return (x, y + away), (x, y)


def _runs(arm: Sequence[str], ends: Sequence[str]) -> list[list[str]]:
    """The children of an arm before, between and after the ends of skips."""
    found: list[list[str]] = [[]]
    for name in arm:
        if name in ends:
            found.append([])
        else:
            found[-1].append(name)
    return found
