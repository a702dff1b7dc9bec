"""Phase 2, ordering: the order of the vertices in each row, so that few edges cross (ELK: crossing
minimisation). The barycentre method of Sugiyama et al. 1981; then a side for each bypass."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal

from studio.drawing.layout.block_graph import End, Segment
from studio.drawing.layout.ranking import Hyperedge, Link, Neighbours, Ranked, Span, neighbours

SWEEPS = 4  # over all rows; more have not been seen to help

Rows = list[list[int]]
Side = Literal[-1, 1]  # left, right
SIDES: tuple[Side, ...] = (1, -1)  # in a tie the right one


@dataclass(frozen=True)
class Ordered:
    """A block after ordering: its vertices row by row, and the side of each hyperedge's lane."""

    ranked: Ranked
    rows: Rows
    sides: Mapping[Hyperedge, Side]

    @cached_property
    def column(self) -> dict[int, int]:
        """The position of each vertex in its row."""
        return {vertex: i for row in self.rows for i, vertex in enumerate(row)}

    def incoming(self, child: str, exits: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """The nodes whose outputs enter a child, from left to right.

        `exits`: for each open child above, where the output of a node leaves its frame, from 0 (at
        the left edge) to 1.
        """
        ranked = self.ranked
        found: dict[str, float] = {}
        for segment in ranked.segments:
            if segment.head != End("", child):
                continue
            if segment in ranked.chains:
                last = ranked.chains[segment][-1].a
                adjacent = last == ranked.vertex[segment.tail]
                inner = exits.get(segment.tail.name, {}) if adjacent else {}
                found[segment.origin] = self.column[last] + inner.get(segment.origin, 0.5)
            else:
                hyperedge = ranked.bypasses[segment]
                low, high, *_ = ranked.spans[hyperedge]
                found[segment.origin] = self.sides[hyperedge] * (len(ranked.rank) + high - low)
        return tuple(sorted(found, key=found.__getitem__))


def order_rows(ranked: Ranked) -> Ordered:
    """Order the rows; of an order and its mirror image the one in which bypasses cross fewer."""
    links = sorted_links(ranked.chains, ranked.rank)
    rows = minimise_crossings(stack(ranked.rank), links)
    if ranked.spans and not all(len(row) == 1 for row in rows[1:]):
        rows = min(
            rows,
            mirror(rows),
            key=lambda rows: choose_sides(ranked, rows)[1] + count_crossings(rows, links),
        )
    return Ordered(ranked, rows, choose_sides(ranked, rows)[0])


def sorted_links(chains: Mapping[Segment, Iterable[Link]], rank: Sequence[int]) -> list[Link]:
    """The links of all chains, from the top down."""
    links = (link for chain in chains.values() for link in chain)
    return sorted(links, key=lambda link: rank[link.a])


def stack(rank: Sequence[int]) -> Rows:
    """The vertices row by row, in the order of their numbers."""
    rows: Rows = [[] for _ in range(max(rank, default=-1) + 1)]
    for vertex, row in enumerate(rank):
        rows[row].append(vertex)
    return rows


def minimise_crossings(rows: Sequence[Sequence[int]], links: Sequence[Link]) -> Rows:
    """Sort each row so that links cross as little as sweeps down and up achieve.

    A sweep sorts each row by the mean position of its neighbours in the row before. Ties keep the
    initial order, so sweeps start from the given order and from its mirror image. Row 0 is fixed.
    """
    best = [list(row) for row in rows]
    fewest = count_crossings(best, links) if max(map(len, rows[1:]), default=0) > 1 else 0
    if fewest:
        for candidate in _candidates(rows, links):
            crossings = count_crossings(candidate, links)
            if crossings < fewest:
                best, fewest = candidate, crossings
            if not fewest:
                break
    return best


def _candidates(rows: Sequence[Sequence[int]], links: Sequence[Link]) -> Iterator[Rows]:
    """The orders after each sweep."""
    above, below = neighbours(sum(map(len, rows)), links)
    widest = max(abs(dock) for link in links for dock in (link.out, link.into))
    scale = 0.49 / widest if widest else 0.0  # docks stay within half a position of their vertex
    for start in (rows, mirror(rows)):
        here = [list(row) for row in start]
        for sweep in range(SWEEPS):
            upwards = sweep % 2 == 1
            before, here = here, _sweep(here, below if upwards else above, scale, upwards)
            if sweep and here == before:
                break
            yield here


def mirror(rows: Sequence[Sequence[int]]) -> Rows:
    """The rows from right to left, except row 0."""
    return [*map(list, rows[:1]), *(list(row[::-1]) for row in rows[1:])]


def _sweep(rows: Sequence[Sequence[int]], near: Neighbours, scale: float, upwards: bool) -> Rows:
    """Sort each row except row 0 by the barycentre of the neighbours `near`. `scale` converts dock
    offsets from pixels to positions."""
    new = [list(row) for row in rows]
    position = {vertex: float(i) for row in rows for i, vertex in enumerate(row)}
    for row in new[:0:-1] if upwards else new[1:]:
        if len(row) < 2:
            continue
        barycentre = {
            vertex: fmean([position[other] + scale * shift for other, shift in near[vertex]])
            if near[vertex]
            else position[vertex]
            for vertex in row
        }
        row.sort(key=barycentre.__getitem__)
        position |= {vertex: float(i) for i, vertex in enumerate(row)}
    return new


def count_crossings(rows: Sequence[Sequence[int]], links: Sequence[Link]) -> int:
    """The number of pairs of links that cross."""
    position = {vertex: i for row in rows for i, vertex in enumerate(row)}
    row_of = {vertex: r for r, row in enumerate(rows) for vertex in row}
    between: list[list[tuple[tuple[int, float], tuple[int, float]]]] = [[] for _ in rows]
    for a, b, out, into in links:
        between[row_of[a]].append(((position[a], out), (position[b], into)))
    total = 0
    for pairs in between:
        seen: list[tuple[int, float]] = []
        for _, end in sorted(pairs):
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total


def choose_sides(ranked: Ranked, rows: Rows) -> tuple[dict[Hyperedge, Side], int]:
    """The side of each hyperedge at which it crosses the fewest lines, and how many in total."""
    sides: dict[Hyperedge, Side] = {}
    total = 0
    for hyperedge in ranked.spans:
        inner = {
            side: [ranked.spans[other] for other, its in sides.items() if its == side]
            for side in SIDES
        }
        crossed = {
            side: _count_crossed(ranked, rows, hyperedge, side, inner[side]) for side in SIDES
        }
        sides[hyperedge] = min(SIDES, key=crossed.__getitem__)
        total += crossed[sides[hyperedge]]
    return sides, total


def _count_crossed(
    ranked: Ranked, rows: Rows, hyperedge: Hyperedge, side: Side, inner: Sequence[Span]
) -> int:
    """The number of lines that a hyperedge crosses at a side, where `inner` lanes already run."""
    _, _, turns, ends = ranked.spans[hyperedge]
    lanes = sum(span.low < turn < span.high for span in inner for turn in turns)
    passing = [
        hyperedge.tail,
        *(end for end in ends if not docks_at_side(ranked, rows, end, side)),
    ]
    return lanes + sum(_outside(ranked, rows, end, side) for end in passing)


def docks_at_side(ranked: Ranked, rows: Rows, end: End, side: Side) -> bool:
    """True if a lane can enter a box at its side: no other box and no companion in between."""
    vertex = ranked.vertex[end]
    outermost = rows[ranked.rank[vertex]][-1 if side > 0 else 0] == vertex
    free = side > 0 or end.name not in ranked.companions
    return ranked.block.has_side_docks(end) and outermost and free


def _outside(ranked: Ranked, rows: Rows, end: End, side: Side) -> int:
    """The number of vertices between the end and that side, in its row."""
    vertex = ranked.vertex[end]
    row = rows[ranked.rank[vertex]]
    column = row.index(vertex)
    return len(row) - 1 - column if side > 0 else column
