"""The U of a U-Net: down at the left, through the bottom, and up at the right.

A block is drawn like this where its children form one chain and the lines beside it lie one within
the other, so that each joins two boxes of equal height (Ronneberger et al. 2015, figure 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from studio.drawing.layout.block_graph import Passage, Sketch
from studio.drawing.layout.block_layout import (
    LANE,
    STUB,
    TEXT,
    TIP,
    TRACK,
    Content,
    Level,
    Point,
    Route,
    Spot,
)

NESTED = 2  # lines one within the other, from which on a U says more than a column
ASIDE = STUB + TEXT + 5.0  # from an open block to a line that turns off below it


@dataclass(frozen=True)
class Horseshoe:
    """A chain and where it turns: `bottom` stands below both arms; `skips` from the outermost."""

    chain: tuple[Passage, ...]
    skips: tuple[Passage, ...]
    bottom: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All children in the order of the data flow."""
        return (self.chain[0].a.name, *(passage.b.name for passage in self.chain))

    @cached_property
    def rising(self) -> frozenset[str]:
        """The children in which data flows upwards."""
        return frozenset(self.names[self.bottom + 1 :])

    def arrivals(self, child: str) -> tuple[str, ...]:
        """The nodes whose data comes to a child: what crosses the U comes from the left."""
        return tuple(p.source for p in (*self.skips, *self.chain) if p.b.name == child)


def horseshoe(sketch: Sketch) -> Horseshoe | None:
    """The U in the arrangement of a block, if there is one."""
    chain, skips = (
        sorted(ps, key=lambda p: sketch.item[p.a]) for ps in (sketch.chains, sketch.bypass)
    )
    ends = [(sketch.item[p.a], sketch.item[p.b]) for p in chain]
    spans = [(sketch.item[p.a], sketch.item[p.b]) for p in skips]
    straight = ends == list(pairwise(range(len(sketch.keys)))) and not sketch.beside
    ported = any(key.port for key in sketch.keys)
    nested = all(a < c < d < b for (a, b), (c, d) in pairwise(spans))
    if ported or not straight or not nested or len(spans) < NESTED or spans[-1][0] > spans[-1][1]:
        return None
    last, first = spans[-1]
    return Horseshoe(tuple(chain), tuple(skips), last + 1 + (first - last - 1) // 2)


def bent(shoe: Horseshoe, content: Content) -> Level:
    """The children in the shape of the U, in pixels."""
    return _Arms(shoe, content).level()


class _Arms:
    """A U in the making; each method needs those before it."""

    def __init__(self, shoe: Horseshoe, content: Content) -> None:
        self.shoe, self.content = shoe, content
        self.bottom = shoe.names[shoe.bottom]
        self.down, self.up = shoe.names[: shoe.bottom], shoe.names[shoe.bottom + 1 :]
        self._rule()
        self._spread()

    def level(self) -> Level:
        routes = {p: Route(self._link(p), skip=False) for p in self.shoe.chain}
        routes |= {p: Route(self._crossing(p), skip=True) for p in self.shoe.skips}
        spots = {
            name: Spot(self.left[name], self.top[name], *self.content.sizes[name][:2])
            for name in self.shoe.names
        }
        width = max(self._reach(name) for name in self.shoe.names)
        labels = {name: self._label(name) for name in self.shoe.names}
        return Level(width, self.height, spots, {}, {}, routes, labels)

    def _rule(self) -> None:
        """The upper edge of every box. Of what stands between two skips, the taller arm says how
        high that is."""
        joined = [(p.a.name, p.b.name) for p in self.shoe.skips]
        downs = _runs(self.down, [a for a, _ in joined])
        ups = _runs(self.up[::-1], [b for _, b in joined])
        self.top: dict[str, float] = {}
        y, above = 0.0, ("", "")
        for down, up, below in zip(downs, ups, [*joined, (self.bottom,) * 2], strict=True):
            arms = [above[0], *down, below[0]], [above[1], *up, below[1]]
            tall = max(map(self._tall, arms))
            for arm in arms:
                self._hang(arm, y, tall - self._tall(arm))
            y, above = self._join(below, y + tall), below
        opened, labelled = self.bottom in self.content.docks, self.bottom in self.content.reaches
        self.height = y + (ASIDE + STUB if opened else (STUB + TEXT) * labelled)

    def _join(self, pair: tuple[str, str], y: float) -> float:
        """Stand what a skip joins so that it runs straight; returns how far down that reaches. Two
        boxes have their middles at one height, two open blocks their feet; a box has its middle
        where the skip leaves or enters the open block beside it, below its foot."""
        heights = {name: self.content.sizes[name].h for name in pair}
        foot = y + max(heights.values())
        opened = self.content.docks.keys() & heights.keys()
        for name, height in heights.items():
            if not opened:
                self.top[name] = (y + foot - height) / 2
            elif name in opened:
                self.top[name] = foot - height
            else:
                self.top[name] = foot + ASIDE - (height + self.content.sizes[name].cards) / 2
        return max(foot, *map(self._foot, pair))

    def _tall(self, arm: Sequence[str]) -> float:
        """The height from the first box to the last, without them; no name is no box."""
        between = sum(self.content.sizes[name].h for name in arm[1:-1])
        return between + sum(self._gap(a, b) for a, b in pairwise(arm) if a)

    def _hang(self, arm: Sequence[str], y: float, spare: float) -> None:
        """Stand what lies between the first box and the last, with the spare room evenly; below
        nothing, at the last box."""
        more = spare / (len(arm) - 1) if arm[0] else 0.0
        y += 0.0 if arm[0] else spare
        for above, name in pairwise(arm[:-1]):
            y += self._gap(above, name) + more if above else 0.0
            self.top[name] = y
            y += self.content.sizes[name].h

    def _gap(self, above: str, below: str) -> float:
        """The room between two boxes of an arm, with that of a line which turns off there."""
        source = below if above in self.shoe.rising else above
        turns = above in self.content.docks
        text = TEXT * (source in self.content.reaches or turns)
        return STUB + text + TIP + TRACK * turns

    def _spread(self) -> None:
        """The left edge of every box: each arm on one line, and room between for the rest."""
        into = {p.b.name: self.content.port(p.b.name, p.source) for p in self.shoe.chain}
        out = {p.a.name: self.content.port(p.a.name, p.source) for p in self.shoe.chain}
        self.left: dict[str, float] = {}
        for arm in (self.down, self.up):
            x = 0.0
            for name in arm:
                self.left[name] = x - into.get(name, 0.0)
                x = self.left[name] + out.get(name, 0.0)
        start = min(self.left[name] for name in self.down)
        for name in self.down:
            self.left[name] -= start
        outside = max(map(self._reach, self.down))
        inside = min(self.left[name] for name in self.up)
        lowest, first = self.down[-1], self.up[0]
        wide = self.content.sizes[self.bottom].w
        down, up = self.left[lowest] + out[lowest], self.left[first] + into[first]
        shift = max(outside + 2 * LANE - inside, down + wide + 4 * LANE - up)
        for name in self.up:
            self.left[name] += shift
        self.left[self.bottom] = (down + up + shift - wide) / 2
        self.lane = (outside + inside + shift) / 2

    def _tail(self, name: str) -> float:
        """From a box's left edge to the last line that leaves it."""
        sources = [p.source for p in (*self.shoe.chain, *self.shoe.skips) if p.a.name == name]
        return max((self.content.port(name, source) for source in sources), default=0.0)

    def _reach(self, name: str) -> float:
        """The right edge of a box, or of the label beside the line that leaves it."""
        label = self._tail(name) + self.content.reaches.get(name, 0.0)
        return self.left[name] + max(self.content.sizes[name].w, label)

    def _label(self, name: str) -> Point:
        x = self.left[name] + self._tail(name) + 5
        return x, self.top[name] - 8 if name in self.shoe.rising else self._foot(name) + 14

    def _foot(self, name: str) -> float:
        return self.top[name] + self.content.sizes[name].h

    def _middle(self, name: str) -> float:
        """The height of the middle of the front card."""
        size = self.content.sizes[name]
        return self.top[name] + (size.h + size.cards) / 2

    def _link(self, passage: Passage) -> tuple[Point, ...]:
        """From one box of the chain to the next: straight along an arm, round the corners below."""
        a, b = passage.a.name, passage.b.name
        out = self.left[a] + self.content.port(a, passage.source)
        into = self.left[b] + self.content.port(b, passage.source)
        if a == self.bottom:
            start = self._leaving(passage)
            return *start, (into, start[-1][1]), (into, self._foot(b))
        if b == self.bottom:
            end = self._entering(passage)
            return (out, self._foot(a)), (out, end[0][1]), *end
        if a in self.shoe.rising:
            return (out, self.top[a]), (into, self._foot(b))
        return (out, self._foot(a)), (into, self.top[b])

    def _crossing(self, passage: Passage) -> tuple[Point, ...]:
        """From the left arm to the right one."""
        start, end = self._leaving(passage), self._entering(passage)
        return *start, (self.lane, start[-1][1]), (self.lane, end[0][1]), *end

    def _leaving(self, passage: Passage) -> tuple[Point, ...]:
        """The start of a line to the right: at a box's side, below the frame of an open block."""
        name = passage.a.name
        if name not in self.content.docks:
            return ((self.left[name] + self.content.sizes[name].w, self._middle(name)),)
        x, foot = self.left[name] + self.content.port(name, passage.source), self._foot(name)
        return (x, foot), (x, foot + ASIDE)

    def _entering(self, passage: Passage) -> tuple[Point, ...]:
        """The end of a line from the left: at a box's side, at the port of an open block."""
        name = passage.b.name
        if name not in self.content.docks:
            return ((self.left[name], self._middle(name)),)
        x = self.left[name] + self.content.port(name, passage.source)
        rising = name in self.shoe.rising
        y, away = (self._foot(name), ASIDE) if rising else (self.top[name], -TIP)
        return (x, y + away), (x, y)


def _runs(arm: Sequence[str], joined: Sequence[str]) -> list[list[str]]:
    """What lies before, between and after the boxes of an arm that skips join."""
    found: list[list[str]] = [[]]
    for name in arm:
        if name in joined:
            found.append([])
        else:
            found[-1].append(name)
    return found
