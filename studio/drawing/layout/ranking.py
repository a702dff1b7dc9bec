"""Layered drawing of one level of a graph, after Sugiyama et al. 1981.

Items are numbered in the order of the data flow. A link goes from item to item; `ranks` gives each
item its row, and `straightened` cuts long links into steps of one row. `crossings` sorts the rows,
and `places` finds where each item stands in its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Near = list[list[tuple[int, float]]]  # by item: its neighbours in a row, and how far aside it docks


class Link(NamedTuple):
    """A step from item `a` to item `b`; `out` and `into` say how far from the middle it docks."""

    a: int
    b: int
    out: float = 0.0
    into: float = 0.0


def bypasses(count: int, ends: Sequence[tuple[int, int]]) -> list[bool]:
    """Which links go round: those that run back, and those beside which a longer way exists."""
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in ends:
        if a < b:
            after[a].append(b)
    reach = [0] * count
    for item in reversed(range(count)):
        for b in after[item]:
            reach[item] |= reach[b] | 1 << b
    return [a > b or any(c != b and reach[c] >> b & 1 for c in after[a]) for a, b in ends]


def ranks(
    count: int, ends: Sequence[tuple[int, int]], first: int, last: int, late: frozenset[int]
) -> list[int]:
    """The row of each item, by the longest way to it; links that run back do not count.

    Items before `first` (where data enters) stand in row 0 alone, those from `last` on (where it
    leaves) in the last row alone. A source named in `late` stands just above what it feeds.
    """
    rank = [0 if item < first else 1 for item in range(count)]
    fed = set()
    for a, b in sorted(ends):
        if a < b:
            rank[b] = max(rank[b], rank[a] + 1)
            fed.add(b)
    feeds: dict[int, int] = {}
    for a, b in ends:
        if a < b:
            feeds[a] = min(feeds.get(a, rank[b]), rank[b])
    for item in late - fed:
        rank[item] = max(feeds.get(item, 2) - 1, 1)
    bottom = max(rank[first:last], default=0) + 1
    return [bottom if item >= last else row for item, row in enumerate(rank)]


def straightened(links: Sequence[Link], rank: list[int]) -> list[list[Link]]:
    """Each link as a chain of steps of one row, through new items appended to `rank`."""
    chains = []
    for link in links:
        chain, here, out = [], link.a, link.out
        for row in range(rank[link.a] + 1, rank[link.b]):
            rank.append(row)
            chain.append(Link(here, len(rank) - 1, out))
            here, out = len(rank) - 1, 0.0
        chains.append([*chain, Link(here, link.b, out, link.into)])
    return chains


def stacked(rank: Sequence[int]) -> list[list[int]]:
    """The items row by row, in the order of their numbers."""
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for item, its_row in enumerate(rank):
        rows[its_row].append(item)
    return rows


def neighbours(count: int, steps: Sequence[Link]) -> tuple[Near, Near]:
    """For each item what lies above and below it."""
    above: Near = [[] for _ in range(count)]
    below: Near = [[] for _ in range(count)]
    for a, b, out, into in steps:
        above[b].append((a, out - into))
        below[a].append((b, into - out))
    return above, below
