"""Phase 3, placement: the x of each vertex, so that lines run straight and nothing overlaps (ELK:
node placement); then the x of the lanes in which bypasses run beside the boxes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from statistics import median, median_low
from typing import NamedTuple

from studio.drawing.layout.block_graph import End, Segment
from studio.drawing.layout.geometry import LANE, BlockContent
from studio.drawing.layout.ordering import (
    Ordered,
    Side,
    choose_sides,
    docks_at_side,
    minimise_crossings,
    sorted_links,
)
from studio.drawing.layout.ranking import (
    Hyperedge,
    Link,
    Neighbours,
    Ranked,
    Span,
    neighbours,
)

GAP = 26.0  # pixels between neighbours in a row
DUMMY_WEIGHT = 1e-4  # of a soft vertex in the least squares, where a box has 1
PORT_EXTENT = 4.0  # pixels to each side of a port or a dummy


class Lane(NamedTuple):
    """A vertical line at a side that carries one hyperedge past the rows of its span. `wire` is its
    id, below 0; ids of vertices are from 0."""

    wire: int
    side: Side
    low: int
    high: int
    x: float


@dataclass(frozen=True)
class Placed:
    """A block after placement.

    `out` and `into`: the x offsets of a segment from the middles of its ends. `chains`: the links
    of the direct segments with these offsets. `x`: the middle of each vertex, which extends `left`
    and `right` of it. `lanes`: the lane of each bypass. `side_docks`: the bypasses that enter a box
    at a side, by (child, side), from the top down.
    """

    ordered: Ordered
    content: BlockContent
    out: Mapping[Segment, float]
    into: Mapping[Segment, float]
    chains: Mapping[Segment, list[Link]]
    x: Sequence[float]
    left: Sequence[float]
    right: Sequence[float]
    lanes: Mapping[Segment, Lane]
    side_docks: Mapping[tuple[str, int], list[Segment]]

    def docks_at_side(self, segment: Segment) -> bool:
        """True if a bypass enters its box at a side, not from above."""
        key = (segment.head.name, self.lanes[segment].side)
        return segment in self.side_docks.get(key, ())


def place(ordered: Ordered, content: BlockContent) -> Placed:
    """Place the vertices and the lanes of a block whose open children are laid out."""
    ranked = ordered.ranked
    out = {s: _dock(content, s.tail, s.origin) for s in ranked.segments}
    into = {s: _dock(content, s.head, s.origin) for s in ranked.segments}
    chains = {s: _with_docks(chain, out[s], into[s]) for s, chain in ranked.chains.items()}
    links = sorted_links(chains, ranked.rank)
    if content.inner:  # ports of open children shift the docks: reorder with them
        rows = minimise_crossings(ordered.rows, links)
        ordered = Ordered(ranked, rows, choose_sides(ranked, rows)[0])
    extents = [_extent(ranked, content, end) for end in ranked.ends]
    extents += [(PORT_EXTENT, PORT_EXTENT)] * (len(ranked.rank) - len(extents))
    left, right = [left for left, _ in extents], [right for _, right in extents]
    x = assign_x(ordered.rows, links, left, right, _soft(ranked, content))
    lanes = _place_lanes(ordered, x, left, right)
    docks = _side_docks(ordered, lanes, x)
    return Placed(ordered, content, out, into, chains, x, left, right, lanes, docks)


def _dock(content: BlockContent, end: End, origin: str) -> float:
    """The x offset from the middle of an end at which the output of `origin` leaves or enters."""
    return 0.0 if end.port else content.port_x(end.name, origin) - content.middle(end.name)


def _with_docks(chain: list[Link], out: float, into: float) -> list[Link]:
    """A chain that leaves its first and enters its last vertex at these offsets."""
    docked = [chain[0]._replace(out=out), *chain[1:]]
    return [*docked[:-1], docked[-1]._replace(into=into)]


def _extent(ranked: Ranked, content: BlockContent, end: End) -> tuple[float, float]:
    """How far an end extends to the left and right of its middle, with its label and companion."""
    if end.port:
        return PORT_EXTENT, PORT_EXTENT
    child, middle = end.name, content.middle(end.name)
    labelled = content.label_x(child) + content.label_widths.get(child, 0.0)
    companion = ranked.companions.get(child)
    beside = content.companion_width(companion.tail.name) if companion else 0.0
    return middle + beside, max(content.sizes[child].w, labelled) - middle


def _soft(ranked: Ranked, content: BlockContent) -> set[int]:
    """Ports, dummies and network outputs: boxes are aligned before them."""
    return {
        vertex
        for vertex in range(len(ranked.rank))
        if not ranked.is_child(vertex) or ranked.ends[vertex].name in content.network_outputs
    }


def _place_lanes(
    ordered: Ordered, x: Sequence[float], left: Sequence[float], right: Sequence[float]
) -> dict[Segment, Lane]:
    """One lane for each hyperedge, as near as possible; the shortest hyperedge first."""
    ranked = ordered.ranked
    lanes: dict[Hyperedge, Lane] = {}
    for hyperedge, span in ranked.spans.items():
        side = ordered.sides[hyperedge]
        rows = ordered.rows[(span.low + 1) // 2 : span.high // 2 + 1]
        reach = right if side > 0 else left
        obstacles = [side * x[vertex] + reach[vertex] for row in rows for vertex in row]
        obstacles += [side * lane.x for lane in lanes.values() if _overlap(lane, span, side)]
        lane_x = side * (max(obstacles, default=0.0) + LANE)
        lanes[hyperedge] = Lane(-1 - len(lanes), side, span.low, span.high, lane_x)
    return {segment: lanes[hyperedge] for segment, hyperedge in ranked.bypasses.items()}


def _overlap(lane: Lane, span: Span, side: Side) -> bool:
    return lane.side == side and lane.low <= span.high and span.low <= lane.high


def _side_docks(
    ordered: Ordered, lanes: Mapping[Segment, Lane], x: Sequence[float]
) -> dict[tuple[str, int], list[Segment]]:
    """The bypasses that enter a box at a side, the nearest lane first."""
    found: dict[tuple[str, int], list[Segment]] = {}
    for segment, lane in lanes.items():
        if docks_at_side(ordered.ranked, ordered.rows, segment.head, lane.side):
            found.setdefault((segment.head.name, lane.side), []).append(segment)
    for segments in found.values():
        segments.sort(key=lambda s: abs(lanes[s].x - x[ordered.ranked.vertex[s.head]]))
    return found


def assign_x(
    rows: Sequence[Sequence[int]],
    links: Sequence[Link],
    left: Sequence[float],
    right: Sequence[float],
    soft: Container[int] = (),
) -> list[float]:
    """The x of the middle of each vertex, which extends `left` and `right` of it, in pixels.

    Soft vertices (ports, dummies, network outputs) get a tiny weight, and are ignored by a vertex
    that has exactly one other neighbour.
    """
    x = [0.0] * len(left)
    if all(len(row) == 1 for row in rows) and not any(link.out or link.into for link in links):
        return x
    weight = [DUMMY_WEIGHT if vertex in soft else 1.0 for vertex in range(len(left))]
    near = neighbours(len(left), links)
    above, below = (_pulling(side, soft) for side in near)
    for row in rows:
        _settle(row, {}, x, left, right, weight)
    for sweep, pulls in ((rows, above), (rows[::-1], below), (rows, above)):
        for row in sweep:
            wanted = {vertex: _pull(pulls[vertex], x) for vertex in row if pulls[vertex]}
            _settle(row, wanted, x, left, right, weight)
    _straighten(rows, *near, x, left, right)
    return x


def _linear_segments(above: Neighbours, below: Neighbours) -> list[list[int]]:
    """Maximal paths whose vertices have one neighbour above and below each: drawn straight."""
    follows = [len(near) == 1 and len(below[near[0][0]]) == 1 for near in above]
    found = []
    for vertex in range(len(above)):
        if not follows[vertex]:
            path = [vertex]
            while len(below[path[-1]]) == 1 and follows[below[path[-1]][0][0]]:
                path.append(below[path[-1]][0][0])
            found.append(path)
    return found


def _pulling(near: Neighbours, soft: Container[int]) -> Neighbours:
    """The neighbours that a vertex is aligned with: its only box, if it has just one, else all."""
    boxes = [[(vertex, shift) for vertex, shift in around if vertex not in soft] for around in near]
    return [one if len(one) == 1 else around for one, around in zip(boxes, near, strict=True)]


def _pull(near: Sequence[tuple[int, float]], x: Sequence[float]) -> float:
    """The x at which a vertex is aligned with its neighbours; with one of them exactly."""
    if len(near) == 1:
        return x[near[0][0]] + near[0][1]
    by_vertex: dict[int, list[float]] = {}
    for other, shift in near:
        by_vertex.setdefault(other, []).append(x[other] + shift)
    return median(median_low(places) for places in by_vertex.values())


def _settle(
    row: Sequence[int],
    wanted: dict[int, float],
    x: list[float],
    left: Sequence[float],
    right: Sequence[float],
    weight: Sequence[float],
) -> None:
    """Set the x of a row by least squares: near to `wanted`, in the row's order, with all gaps.

    With the gaps subtracted this is isotonic regression, solved by pooling adjacent violators.
    """
    if len(row) == 1:
        x[row[0]] = round(wanted.get(row[0], x[row[0]]), 1)
        return
    offset, offsets = 0.0, []
    pools: list[tuple[float, float, int]] = []  # (mean, weight, count)
    for i, vertex in enumerate(row):
        if i:
            offset += right[row[i - 1]] + GAP + left[vertex]
        offsets.append(offset)
        mean, heavy, many = wanted.get(vertex, x[vertex]) - offset, weight[vertex], 1
        while pools and pools[-1][0] > mean:
            before, weighs, more = pools.pop()
            mean = (before * weighs + mean * heavy) / (weighs + heavy)
            heavy, many = heavy + weighs, many + more
        pools.append((mean, heavy, many))
    means = (mean for mean, _, many in pools for _ in range(many))
    for vertex, shift, mean in zip(row, offsets, means, strict=True):
        x[vertex] = round(mean + shift, 1)


def _straighten(
    rows: Sequence[Sequence[int]],
    above: Neighbours,
    below: Neighbours,
    x: list[float],
    left: Sequence[float],
    right: Sequence[float],
) -> None:
    """Put each linear segment on one vertical line where the gaps in all its rows allow it."""
    before = {b: a for row in rows for a, b in pairwise(row)}
    after = {a: b for row in rows for a, b in pairwise(row)}
    for path in sorted(_linear_segments(above, below), key=lambda path: -x[path[0]]):
        shifts = accumulate((above[vertex][0][1] for vertex in path[1:]), initial=0.0)
        shift = dict(zip(path, shifts, strict=True))  # dock offsets relative to the first vertex
        lines = [x[i] - shift[i] for i in path]
        if max(lines) - min(lines) < 0.1:
            continue
        free = [  # the interval in which the first vertex may be, by the gaps in each row
            (
                x[before[i]] + right[before[i]] + GAP + left[i] - shift[i] if i in before else -inf,
                x[after[i]] - left[after[i]] - GAP - right[i] - shift[i] if i in after else inf,
            )
            for i in path
        ]
        low, high = max(low for low, _ in free), min(high for _, high in free)
        if low <= high:
            line = min(max(median(lines), low), high)
            for vertex in path:
                x[vertex] = round(line + shift[vertex], 1)
