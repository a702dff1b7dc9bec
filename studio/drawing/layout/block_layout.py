"""One level of a picture: the boxes inside one block, in rows, with channels and lanes between.

Between two rows lies a channel in which lines run sideways on tracks; no box stands there. At the
sides run lanes for the connections that go round. So no line ever has to cross a box or a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from studio.drawing.layout.block_graph import Key, Net, Passage, Sketch
from studio.drawing.layout.ordering import ordered
from studio.drawing.layout.placement import placed
from studio.drawing.layout.ranking import Link
from studio.drawing.layout.routing import Hop, tracked

Point = tuple[float, float]

PAD = 16.0  # from the content of a block to its frame
HEAD = 26.0  # where the title of a block stands
TRACK = 9.0  # between lines that run beside each other in a channel
LANE = 14.0  # between lanes, and from the boxes to the first of them
STUB, TEXT, TIP = 8.0, 13.0, 16.0  # a channel: the way out, the label, the way in


class Size(NamedTuple):
    w: float
    h: float
    cards: float = 0.0


class Spot(NamedTuple):
    x: float
    y: float
    w: float
    h: float


class Route(NamedTuple):
    """How a passage runs, corner by corner, and whether it goes round in a lane."""

    points: tuple[Point, ...]
    skip: bool


@dataclass(frozen=True)
class Level:
    """A block laid out in pixels from its upper left corner; ports are x on its edges."""

    width: float
    height: float
    spots: dict[str, Spot]
    ins: dict[str, float]
    outs: dict[str, float]
    routes: dict[Passage, Route]
    labels: dict[str, Point]

    def departures(self) -> dict[str, float]:
        """Where data leaves, from 0 (at the left edge) to 1."""
        return {name: x / self.width for name, x in self.outs.items()}


@dataclass(frozen=True)
class Content:
    """What is to stand in one block.

    `docks` are the levels of the open children; `reaches` how far a label stands out to the right
    of a child's middle; `ends` the children at which the network ends, which give way to others;
    `heading` the width of the block's title, 0 where there is no frame. In a block that is
    `rising`, data flows upwards.
    """

    sizes: Mapping[str, Size]
    docks: Mapping[str, Level]
    reaches: Mapping[str, float]
    ends: frozenset[str]
    heading: float
    rising: bool = False

    def port(self, name: str, source: str) -> float:
        """How far from a child's left edge the data of a node enters or leaves it: at the middle
        of the front card, of an open block at a port."""
        size, inner = self.sizes[name], self.docks.get(name)
        middle = (size.w - size.cards) / 2
        return inner.outs.get(source, inner.ins.get(source, middle)) if inner else middle


def arranged(sketch: Sketch, content: Content) -> Level:
    """Places, lanes, tracks, and at last the corners of every line."""
    level = _Draft(sketch, content).level()
    return _turned(level) if content.rising else level


def _turned(level: Level) -> Level:
    """The same upside down; a label stands above its box then."""
    spots = {
        name: Spot(x, level.height - y - h, w, h) for name, (x, y, w, h) in level.spots.items()
    }
    routes = {
        passage: Route(tuple((x, level.height - y) for x, y in points), skip)
        for passage, (points, skip) in level.routes.items()
    }
    labels = {name: (x, level.height - y + 6) for name, (x, y) in level.labels.items()}
    return replace(level, spots=spots, routes=routes, labels=labels)


class _Lane:
    """Where a net goes round: down the side from the channel under its source to its ends."""

    def __init__(self, wire: int, side: int, low: int, high: int) -> None:
        self.wire, self.side = wire, side
        self.low, self.high = low, high  # in half rows: 2 r is row r, 2 r + 1 the channel below it
        self.x = 0.0


class _Draft:
    """The arrangement of one block in the making; each method needs those before it."""

    def __init__(self, sketch: Sketch, content: Content) -> None:
        self.sketch, self.content = sketch, content
        self.keys, self.item, self.rank = sketch.keys, sketch.item, sketch.rank
        self.beside, self.passages = sketch.beside, sketch.passages
        self._place()
        self._build_lanes()
        self._lay_tracks()

    def _place(self) -> None:
        """Sort the rows by where data docks, and find every item's place across."""
        self.out = {p: self._dock(p.a, p.source) for p in self.passages}
        self.into = {p: self._dock(p.b, p.source) for p in self.passages}
        self.chains = {p: self._docked(p, chain) for p, chain in self.sketch.chains.items()}
        steps = self.sketch.steps(self.chains)
        self.rows = self.sketch.rows
        if self.content.docks:
            self.rows = ordered(self.rows, steps)
        count = len(self.rank)
        extents = [self._extent(key) for key in self.keys]
        extents += [(4.0, 4.0)] * (count - len(extents))
        self.left = [left for left, _ in extents]
        self.right = [right for _, right in extents]
        soft = {i for i in range(count) if self._port(i) or self.keys[i].name in self.content.ends}
        self.x = placed(self.rows, steps, self.left, self.right, soft)

    def _docked(self, passage: Passage, chain: list[Link]) -> list[Link]:
        """A chain of steps with where it leaves and enters its boxes."""
        new = [chain[0]._replace(out=self.out[passage]), *chain[1:]]
        return [*new[:-1], new[-1]._replace(into=self.into[passage])]

    def _size(self, key: Key) -> Size:
        return Size(0, 0) if key.port else self.content.sizes[key.name]

    def _middle(self, key: Key) -> float:
        """From a box's left to where lines dock: the middle of the front card."""
        size = self._size(key)
        return (size.w - size.cards) / 2

    def _dock(self, key: Key, source: str) -> float:
        """How far from a box's middle the data of `source` leaves or enters it."""
        return 0.0 if key.port else self.content.port(key.name, source) - self._middle(key)

    def _extent(self, key: Key) -> tuple[float, float]:
        """How far a child reaches to the left and right of its middle, with what is written."""
        if key.port:
            return 4.0, 4.0
        middle = self._middle(key)
        written = self._tail(key) + self.content.reaches.get(key.name, 0.0)
        return middle + self._aside(key.name), max(self._size(key).w, written) - middle

    def _tail(self, key: Key) -> float:
        """From a box's left to the last line that leaves it, beside which its label stands."""
        inner = self.content.docks.get(key.name)
        lines = inner.outs.values() if inner else ()
        return max(self._middle(key), *lines, 0.0)

    def _aside(self, name: str) -> float:
        """The room that the companion of a child takes, with its arrow."""
        if name not in self.beside:
            return 0.0
        companion = self.beside[name].a.name
        return self.content.sizes[companion].w + self._reach(companion)

    def _reach(self, companion: str) -> float:
        return max(26.0, self.content.reaches.get(companion, 0.0) + 10)

    def _build_lanes(self) -> None:
        """One lane for each net that goes round; the shorter, the nearer."""
        sides, _ = self.sketch.round(self.rows)
        lanes: dict[Net, _Lane] = {}
        for net, span in self.sketch.spans.items():
            lane = _Lane(-1 - len(lanes), sides[net], span.low, span.high)
            lane.x = self._beyond(lane, list(lanes.values()))
            lanes[net] = lane
        self.lane = {p: lanes[self.sketch.net(p)] for p in self.sketch.bypass}
        self.enters: dict[tuple[str, int], list[Passage]] = {}
        for passage, lane in self.lane.items():
            if self.sketch.docks(passage.b, lane.side, self.rows):
                self.enters.setdefault((passage.b.name, lane.side), []).append(passage)
        for passages in self.enters.values():
            passages.sort(key=lambda p: abs(self.lane[p].x - self.x[self.item[p.b]]))

    def _beyond(self, lane: _Lane, built: Sequence[_Lane]) -> float:
        """The nearest x at the lane's side beyond all boxes and lanes that it runs along."""
        rows = self.rows[(lane.low + 1) // 2 : lane.high // 2 + 1]
        reach = self.right if lane.side > 0 else self.left
        edges = [lane.side * self.x[i] + reach[i] for row in rows for i in row]
        edges += [
            lane.side * other.x
            for other in built
            if other.side == lane.side and other.low <= lane.high and lane.low <= other.high
        ]
        return lane.side * (max(edges, default=0.0) + LANE)

    def _lay_tracks(self) -> None:
        """Where lines that move sideways in one channel run, so that no two nets lie on another."""
        self.hops = {p: self._hops(p) for p in self.passages}
        channels: dict[int, dict[Hop, None]] = {}
        for hops in self.hops.values():
            for hop in hops:
                channels.setdefault(hop.channel, {})[hop] = None
        self.tracks: dict[Hop, int] = {}
        self.depth = [0] * (len(self.rows) + 1)
        for channel, found in channels.items():
            tracks = tracked(tuple(found))
            self.tracks |= tracks
            self.depth[channel] = max(tracks.values(), default=-1) + 1

    def _hops(self, passage: Passage) -> tuple[Hop, ...]:
        """How a passage crosses the channels on its way, one after the other."""
        a, b = self.item[passage.a], self.item[passage.b]
        if passage in self.chains:
            return tuple(
                Hop(self.rank[s.a], self.x[s.a] + s.out, self.x[s.b] + s.into, s.a, s.b)
                for s in self.chains[passage]
            )
        lane = self.lane[passage]
        leave = Hop(self.rank[a], self.x[a] + self.out[passage], lane.x, a, lane.wire)
        if self._docks(passage):
            return (leave,)
        end = self.x[b] + self.into[passage]
        return leave, Hop(self.rank[b] - 1, lane.x, end, lane.wire, b)

    def _docks(self, passage: Passage) -> bool:
        """Whether a passage that goes round enters its box at the side."""
        return passage in self.enters.get((passage.b.name, self.lane[passage].side), ())

    def level(self) -> Level:
        """Everything in pixels from the upper left corner."""
        self._rule()
        self._border()
        spots = {key.name: self._spot(key) for key in self.keys if not key.port}
        routes = {passage: self._route(passage, spots) for passage in self.passages}
        labels = {
            name: (s.x + self._tail(Key("", name)) + 5, s.y + s.h + 14) for name, s in spots.items()
        }
        for target, passage in self.beside.items():
            name, at = passage.a.name, spots[target]
            w, h, _ = self.content.sizes[name]
            y = at.y + at.h / 2
            spots[name] = Spot(at.x - self._aside(target), y - h / 2, w, h)
            routes[passage] = Route(((spots[name].x + w, y), (at.x, y)), skip=False)
            labels[name] = (spots[name].x + w + 4, y - 5)
        ins, outs = (
            {k.name: self.x[i] - self.origin for k, i in self.item.items() if k.port == port}
            for port in ("in", "out")
        )
        return Level(self.width, self.height, spots, ins, outs, routes, labels)

    def _rule(self) -> None:
        """The upper edge and the height of each row; below each lies its channel."""
        y, self.top, self.tall = 0.0, [], []
        for row, items in enumerate(self.rows):
            names = [self.keys[i].name for i in items if not self._port(i)]
            beside = [self.beside[name].a.name for name in names if name in self.beside]
            tall = max([self.content.sizes[name].h for name in names + beside], default=0.0)
            self.top.append(y)
            self.tall.append(tall)
            y += tall + self._deep(row, any(name in self.content.reaches for name in names))
        self.height = y

    def _deep(self, row: int, labelled: bool) -> float:
        """The depth of the channel below a row."""
        framed, last = self.content.heading > 0, row == len(self.rows) - 1
        tracks = TRACK * self.depth[row]
        if row == 0:
            return (HEAD + tracks if framed else 0.0) + (0.0 if last else TIP * bool(self.rows[0]))
        if last:
            exits = self.rows[row][:1] and self._port(self.rows[row][0]) == "out"
            loops = (tracks + TEXT * labelled + STUB) * bool(tracks)
            foot = HEAD if self.content.rising else PAD
            return 0.0 if exits else loops + foot * framed
        return STUB + TEXT * labelled + tracks + TIP

    def _port(self, item: int) -> str:
        """What an item is when it is no child: a port, or the bend of a long link."""
        return self.keys[item].port if item < len(self.keys) else "bend"

    def _border(self) -> None:
        """The left edge and the width, with room for the title beside the lines that enter."""
        pad = PAD if self.content.heading else 0.0
        lanes = [lane.x for lane in self.lane.values()]
        spans = [(x - a, x + b) for x, a, b in zip(self.x, self.left, self.right, strict=True)]
        low = min([a for a, _ in spans] + lanes, default=0.0) - pad
        high = max([b for _, b in spans] + lanes, default=0.0) + pad
        entries = [self.x[i] for key, i in self.item.items() if key.port == "in"]
        self.origin = min([low, *(x - self.content.heading for x in entries)])
        self.width = max(high - self.origin, self.content.heading + PAD)

    def _spot(self, key: Key) -> Spot:
        item = self.item[key]
        w, h, _ = self._size(key)
        row = self.rank[item]
        x = self.x[item] - self._middle(key) - self.origin
        return Spot(x, self.top[row] + (self.tall[row] - h) * self._lower(row, key), w, h)

    def _lower(self, row: int, key: Key) -> float:
        """How low a box stands in its row, from 0 to 1: in the middle, but beside an open block
        near to what feeds it, or where nothing does to what it feeds."""
        if not any(
            self.keys[i].name in self.content.docks for i in self.rows[row] if not self._port(i)
        ):
            return 0.5
        return 0.0 if any(passage.b == key for passage in self.passages) else 1.0

    def _route(self, passage: Passage, spots: Mapping[str, Spot]) -> Route:
        a, b = self.item[passage.a], self.item[passage.b]
        above, below = spots.get(passage.a.name), spots.get(passage.b.name)
        start = self.x[a] + self.out[passage]
        points = [
            (start, above.y + above.h if above and not passage.a.port else self.top[self.rank[a]])
        ]
        for hop in self.hops[passage]:
            if hop in self.tracks:
                y = self._track(hop)
                points += [(hop.start, y), (hop.end, y)]
        lane = self.lane.get(passage)
        if lane and below and self._docks(passage):
            doors = self.enters[passage.b.name, lane.side]
            y = below.y + below.h * (doors.index(passage) + 1) / (len(doors) + 1)
            edge = below.x + self.origin + (below.w if lane.side > 0 else 0.0)
            points += [(lane.x, y), (edge, y)]
        else:
            end = self.x[b] + self.into[passage]
            points.append(
                (end, below.y if below and not passage.b.port else self.top[self.rank[b]])
            )
        return Route(tuple((x - self.origin, y) for x, y in points), lane is not None)

    def _track(self, hop: Hop) -> float:
        """The y of a line in its channel: tracks lie above the tips, below the labels."""
        below = self.top[hop.channel + 1] if hop.channel + 1 < len(self.top) else self.height
        tip = TIP
        if hop.channel + 1 == len(self.top):
            tip = PAD if self.content.heading else 0.0
        return below - tip - TRACK * (self.depth[hop.channel] - 1 - self.tracks[hop])
