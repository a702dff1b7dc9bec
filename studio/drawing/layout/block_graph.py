"""What lies above and beside what in one block, before anything in it has a size.

A sketch numbers the items of a block (ports of entry, children, ports of exit, bends of long
links), stands them in rows, sorts the rows, and says at which side a line goes round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.drawing.layout.ordering import crossings, mirrored, ordered
from studio.drawing.layout.ranking import Link, bypasses, ranks, stacked, straightened

Rows = list[list[int]]


class Key(NamedTuple):
    """A child of the block (port ""), or the port at which the data of node `name` passes."""

    port: Literal["", "in", "out"]
    name: str


class Passage(NamedTuple):
    """The data of node `source` on its way through one block."""

    a: Key
    b: Key
    source: str


@dataclass(frozen=True)
class Scheme:
    """What there is in one block, and how data passes through it.

    `open` are the children drawn with what is in them; `late` those that, fed by nothing, stand
    just above what they feed; `aside` those that stand beside it where they can; `entries` the
    nodes whose data enters, from left to right.
    """

    children: tuple[str, ...]
    passages: tuple[Passage, ...]
    open: frozenset[str]
    late: frozenset[str]
    aside: frozenset[str]
    entries: tuple[str, ...] = ()


class Net(NamedTuple):
    """What goes round together: the data of one source, down or back, to all its ends."""

    a: Key
    source: str
    back: bool


class Span(NamedTuple):
    """From where to where a line goes round, in half rows: 2 r is row r, 2 r + 1 the channel
    below it; where it turns off, and to which ends."""

    low: int
    high: int
    turns: tuple[int, ...]
    ends: tuple[Key, ...]


class Sketch:
    """The arrangement of one block; each method needs those before it."""

    def __init__(self, scheme: Scheme) -> None:
        self.open = scheme.open
        self.beside = companions(scheme)
        self._number(scheme)
        self._stack()

    def _number(self, scheme: Scheme) -> None:
        """Number the items, and link them."""
        aside = set(self.beside.values())
        alone = {p.a.name for p in aside}
        self.passages = [p for p in scheme.passages if p not in aside]
        entries = dict.fromkeys(p.a for p in self.passages if p.a.port)
        exits = dict.fromkeys(p.b for p in self.passages if p.b.port)
        own = [Key("", name) for name in scheme.children if name not in alone]
        across = sorted(entries, key=lambda key: scheme.entries.index(key.name))
        self.keys: list[Key] = [*across, *own, *exits]
        self.item = {key: i for i, key in enumerate(self.keys)}
        self._late = frozenset(self.item[k] for k in own if k.name in scheme.late)
        self._inside = len(across), len(across) + len(own)

    def _stack(self) -> None:
        """Stand the items in rows, cut the links into steps of one row, and sort the rows."""
        ends = [(self.item[p.a], self.item[p.b]) for p in self.passages]
        self.rank = ranks(len(self.keys), ends, *self._inside, self._late)
        round_ = bypasses(len(self.keys), ends)
        self.bypass = [p for p, goes in zip(self.passages, round_, strict=True) if goes]
        direct = [p for p, goes in zip(self.passages, round_, strict=True) if not goes]
        links = [Link(self.item[p.a], self.item[p.b]) for p in direct]
        self.chains = dict(zip(direct, straightened(links, self.rank), strict=True))
        self.spans = self._spans()
        self.rows = self._ordered()
        self.sides, _ = self.round(self.rows)
        self.column = {item: column for row in self.rows for column, item in enumerate(row)}

    def _ordered(self) -> Rows:
        """The rows so that few lines cross: as they are or mirrored, with what goes round."""
        steps = self.steps(self.chains)
        rows = ordered(stacked(self.rank), steps)
        if not self.bypass or all(len(row) == 1 for row in rows[1:]):
            return rows
        return min(rows, mirrored(rows), key=lambda r: self.round(r)[1] + crossings(r, steps))

    def steps(self, chains: Mapping[Passage, list[Link]]) -> list[Link]:
        """All steps, from the uppermost down."""
        found = (step for chain in chains.values() for step in chain)
        return sorted(found, key=lambda step: self.rank[step.a])

    def arrivals(self, child: str, docks: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """The nodes whose data comes to a child, in the order in which it comes from left to right.

        `docks` says of the open children above where, from 0 to 1, the data of a node leaves them.
        """
        found: dict[str, float] = {}
        for passage in self.passages:
            if passage.b != Key("", child):
                continue
            if passage in self.chains:
                last = self.chains[passage][-1].a
                inner = docks.get(passage.a.name, {}) if last == self.item[passage.a] else {}
                found[passage.source] = self.column[last] + inner.get(passage.source, 0.5)
            else:
                net = self.net(passage)
                low, high, *_ = self.spans[net]
                found[passage.source] = self.sides[net] * (len(self.rank) + high - low)
        return tuple(sorted(found, key=found.__getitem__))

    def net(self, passage: Passage) -> Net:
        a, b = self.item[passage.a], self.item[passage.b]
        return Net(passage.a, passage.source, self.rank[a] >= self.rank[b])

    def _spans(self) -> dict[Net, Span]:
        """What goes round, the shortest first."""
        ends: dict[Net, list[Key]] = {}
        for passage in self.bypass:
            ends.setdefault(self.net(passage), []).append(passage.b)
        found = []
        for net, keys in ends.items():
            start = 2 * self.rank[self.item[net.a]] + 1
            turns = (start, *(2 * self.rank[self.item[k]] - (not self._may_dock(k)) for k in keys))
            found.append((net, Span(min(turns), max(turns), turns, tuple(keys))))
        return dict(sorted(found, key=lambda item: item[1].high - item[1].low))

    def round(self, rows: Rows) -> tuple[dict[Net, int], int]:
        """At which side (1 right, -1 left) each net goes round, so as to cross the fewest lines;
        and how many it crosses there."""
        sides: dict[Net, int] = {}
        met = 0
        for net in self.spans:
            ways = {side: self._in_the_way(net, side, rows, sides) for side in (1, -1)}
            sides[net] = min(ways, key=ways.__getitem__)
            met += ways[sides[net]]
        return sides, met

    def docks(self, end: Key, side: int, rows: Rows) -> bool:
        """Whether what goes round enters its box at the side: where nothing stands between."""
        row = rows[self.rank[self.item[end]]]
        outermost = row[-1 if side > 0 else 0] == self.item[end]
        free = side > 0 or end.name not in self.beside
        return self._may_dock(end) and outermost and free

    def _may_dock(self, key: Key) -> bool:
        return not key.port and key.name not in self.open

    def _in_the_way(self, net: Net, side: int, rows: Rows, sides: Mapping[Net, int]) -> int:
        """How many lines a net crosses at a side, among those that have a side already."""
        _, _, turns, ends = self.spans[net]
        inner = [self.spans[other] for other, at in sides.items() if at == side]
        met = sum(span.low < turn < span.high for span in inner for turn in turns)
        passed = [net.a, *(end for end in ends if not self.docks(end, side, rows))]
        return met + sum(self._beyond(key, side, rows) for key in passed)

    def _beyond(self, key: Key, side: int, rows: Rows) -> int:
        """How many items stand in one row with a given one, at a side of it."""
        row = rows[self.rank[self.item[key]]]
        column = row.index(self.item[key])
        return len(row) - 1 - column if side > 0 else column


def companions(scheme: Scheme) -> dict[str, Passage]:
    """Which children have a companion at their left: a parameter that feeds them alone."""
    feeds: dict[str, list[Passage]] = {}
    for passage in scheme.passages:
        if passage.a.name in scheme.aside and not passage.a.port:
            feeds.setdefault(passage.a.name, []).append(passage)
    fed = {p.b.name for p in scheme.passages if not p.b.port}
    found: dict[str, Passage] = {}
    for child, passages in feeds.items():
        target = passages[0].b
        alone = len(passages) == 1 and not target.port and child not in fed
        if alone and target.name not in scheme.open and target.name not in feeds:
            found.setdefault(target.name, passages[0])
    return found
