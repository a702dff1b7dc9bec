"""Phase 1, ranking: which row each vertex stands in (ELK: cycle breaking and layer assignment).

The vertices of a block are its input ports, its children and its output ports, numbered in the
order of the data flow. Edges are between vertices. A direct edge that is longer than one row is cut
into links of one row by dummy vertices; a bypass (a residual, a skip, feedback) is not ranked but
runs in a lane at the side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from studio.drawing.layout.block_graph import Block, End, Segment, companions

Neighbours = list[list[tuple[int, float]]]  # by vertex: (neighbour, x offset between the docks)


class Link(NamedTuple):
    """An edge between vertices `a` and `b`. `out` and `into` are the x offsets from their middles
    at which it leaves and enters, in pixels."""

    a: int
    b: int
    out: float = 0.0
    into: float = 0.0


class Hyperedge(NamedTuple):
    """All bypasses of one tensor in one direction: one lane with several ends."""

    tail: End
    origin: str
    backward: bool


class Span(NamedTuple):
    """The extent of a hyperedge in half rows (2 r is row r, 2 r + 1 the channel below it), the half
    rows at which it turns into its lane and out of it, and the ends that it reaches."""

    low: int
    high: int
    turns: tuple[int, ...]
    ends: tuple[End, ...]


@dataclass(frozen=True)
class Ranked:
    """A block after ranking.

    `companions`: see `block_graph.companions`; their segments are not in `segments`. `ends`: the
    real vertices; `vertex` is its inverse. `rank`: the row of each vertex, dummies last. `chains`:
    the links of each direct segment. `bypasses`: the hyperedge of each segment that runs in a lane.
    `spans`: all hyperedges, the shortest first.
    """

    block: Block
    companions: Mapping[str, Segment]
    segments: tuple[Segment, ...]
    ends: tuple[End, ...]
    vertex: Mapping[End, int]
    rank: Sequence[int]
    chains: Mapping[Segment, list[Link]]
    bypasses: Mapping[Segment, Hyperedge]
    spans: Mapping[Hyperedge, Span]

    def is_child(self, vertex: int) -> bool:
        """True if a vertex is a child of the block, neither a port nor a dummy."""
        return vertex < len(self.ends) and not self.ends[vertex].port


def rank_block(block: Block) -> Ranked:
    """Number the vertices, rank them, and separate the bypasses from the direct edges."""
    beside = companions(block)
    aside = set(beside.values())
    segments = tuple(segment for segment in block.segments if segment not in aside)
    ins, children, outs = _vertices(block, segments, {segment.tail.name for segment in aside})
    ends = (*ins, *children, *outs)
    vertex = {end: i for i, end in enumerate(ends)}
    edges = [(vertex[segment.tail], vertex[segment.head]) for segment in segments]
    late = frozenset(vertex[end] for end in children if end.name in block.late)
    rank = rank_vertices(len(ends), edges, len(ins), len(ins) + len(children), late)
    is_bypass = bypass_flags(len(ends), edges)
    direct = [segment for segment, bypass in zip(segments, is_bypass, strict=True) if not bypass]
    links = [Link(vertex[segment.tail], vertex[segment.head]) for segment in direct]
    bypasses = {
        segment: Hyperedge(segment.tail, segment.origin, rank[a] >= rank[b])
        for segment, (a, b), bypass in zip(segments, edges, is_bypass, strict=True)
        if bypass
    }
    chains = dict(zip(direct, subdivide(links, rank), strict=True))
    spans = _spans(block, bypasses, vertex, rank)
    return Ranked(block, beside, segments, ends, vertex, rank, chains, bypasses, spans)


def _vertices(
    block: Block, segments: Iterable[Segment], aside: set[str]
) -> tuple[list[End], list[End], list[End]]:
    """The input ports from left to right, the children, and the output ports."""
    ins = dict.fromkeys(segment.tail for segment in segments if segment.tail.port)
    outs = dict.fromkeys(segment.head for segment in segments if segment.head.port)
    children = [End("", name) for name in block.children if name not in aside]
    return sorted(ins, key=lambda end: block.input_order.index(end.name)), children, list(outs)


def _spans(
    block: Block,
    bypasses: Mapping[Segment, Hyperedge],
    vertex: Mapping[End, int],
    rank: Sequence[int],
) -> dict[Hyperedge, Span]:
    """The span of each hyperedge, the shortest first."""
    heads: dict[Hyperedge, list[End]] = {}
    for segment, hyperedge in bypasses.items():
        heads.setdefault(hyperedge, []).append(segment.head)
    spans = []
    for hyperedge, ends in heads.items():
        start = 2 * rank[vertex[hyperedge.tail]] + 1
        stops = (2 * rank[vertex[end]] - (not block.has_side_docks(end)) for end in ends)
        turns = (start, *stops)
        spans.append((hyperedge, Span(min(turns), max(turns), turns, tuple(ends))))
    return dict(sorted(spans, key=lambda item: item[1].high - item[1].low))


def bypass_flags(count: int, edges: Sequence[tuple[int, int]]) -> list[bool]:
    """Which edges are bypasses: those that run backward, and those from a vertex to another that it
    also reaches by a longer path."""
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        if a < b:
            after[a].append(b)
    reach = [0] * count  # bit sets
    for vertex in reversed(range(count)):
        for b in after[vertex]:
            reach[vertex] |= reach[b] | 1 << b
    return [a > b or any(c != b and reach[c] >> b & 1 for c in after[a]) for a, b in edges]


def rank_vertices(
    count: int, edges: Sequence[tuple[int, int]], first: int, last: int, late: frozenset[int]
) -> list[int]:
    """The row of each vertex by the longest path to it, backward edges ignored.

    Vertices before `first` (input ports) are alone in row 0, those from `last` on (output ports)
    alone in the last row. A source in `late` is ranked just above the first vertex that it feeds.
    """
    rank = [0 if vertex < first else 1 for vertex in range(count)]
    with_inputs = set()
    for a, b in sorted(edges):
        if a < b:
            rank[b] = max(rank[b], rank[a] + 1)
            with_inputs.add(b)
    feeds: dict[int, int] = {}
    for a, b in edges:
        if a < b:
            feeds[a] = min(feeds.get(a, rank[b]), rank[b])
    for vertex in late - with_inputs:
        rank[vertex] = max(feeds.get(vertex, 2) - 1, 1)
    bottom = max(rank[first:last], default=0) + 1
    return [bottom if vertex >= last else row for vertex, row in enumerate(rank)]


def subdivide(edges: Sequence[Link], rank: list[int]) -> list[list[Link]]:
    """Each edge as a chain of links of one row. Appends the dummy vertices to `rank`."""
    chains = []
    for edge in edges:
        chain, here, out = [], edge.a, edge.out
        for row in range(rank[edge.a] + 1, rank[edge.b]):
            rank.append(row)
            chain.append(Link(here, len(rank) - 1, out))
            here, out = len(rank) - 1, 0.0
        chains.append([*chain, Link(here, edge.b, out, edge.into)])
    return chains


def neighbours(count: int, links: Sequence[Link]) -> tuple[Neighbours, Neighbours]:
    """The neighbours of each vertex in the row above, and in the row below."""
    above: Neighbours = [[] for _ in range(count)]
    below: Neighbours = [[] for _ in range(count)]
    for a, b, out, into in links:
        above[b].append((a, out - into))
        below[a].append((b, into - out))
    return above, below
