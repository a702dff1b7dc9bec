"""Layered drawing of one level of a graph, after Sugiyama et al. 1981.

Items are numbered in the order of the data flow. A link goes from item to item; `ranks` gives each
item its row, `straightened` cuts long links into steps of one row, `ordered` sorts the rows to
avoid crossings, and `placed` finds where each item stands.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from statistics import fmean
from typing import NamedTuple

GAP = 26.0  # pixels between neighbours in a row


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


def straightened(links: Sequence[Link], rank: list[int]) -> tuple[list[list[Link]], int]:
    """Each link as a chain of steps of one row, through new items appended to `rank`."""
    chains = []
    for link in links:
        chain, here, out = [], link.a, link.out
        for row in range(rank[link.a] + 1, rank[link.b]):
            rank.append(row)
            chain.append(Link(here, len(rank) - 1, out))
            here, out = len(rank) - 1, 0.0
        chains.append([*chain, Link(here, link.b, out, link.into)])
    return chains, len(rank)


def ordered(rank: Sequence[int], steps: Sequence[Link]) -> list[list[int]]:
    """The items row by row, each row sorted by the middle of its neighbours, down, up and down."""
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for item, its_row in enumerate(rank):
        rows[its_row].append(item)
    if max(map(len, rows), default=0) < 2:
        return rows
    above, below = _neighbours(len(rank), steps)
    position = {item: float(i) for row in rows for i, item in enumerate(row)}
    for sweep, near in ((rows, above), (rows[::-1], below), (rows, above)):
        for row in sweep:
            middle = {
                item: sum(position[step] for step, _ in near[item]) / len(near[item])
                if near[item]
                else position[item]
                for item in row
            }
            row.sort(key=middle.__getitem__)
            position |= {item: float(i) for i, item in enumerate(row)}
    return rows


def strips(count: int, steps: Sequence[Link]) -> list[int]:
    """The strip of each item: items that follow each other alone form one, to be drawn straight."""
    outs, ins = [0] * count, [0] * count
    for a, b, _, _ in steps:
        outs[a] += 1
        ins[b] += 1
    strip = list(range(count))
    for a, b, _, _ in steps:
        if outs[a] == ins[b] == 1:
            strip[b] = a
    for item in range(count):
        head = item
        while strip[head] != head:
            head = strip[head]
        strip[item] = head
    return strip


def placed(
    rows: Sequence[Sequence[int]],
    steps: Sequence[Link],
    left: Sequence[float],
    right: Sequence[float],
    soft: Container[int] = (),
) -> list[float]:
    """Where the middle of each item stands, so that steps run straight and nothing overlaps.

    `left` and `right` say how far an item reaches from its middle. Items that are `soft` (bends of
    long links, ports) give way: they pull only at what nothing else pulls at.
    """
    above, below = _neighbours(len(left), steps)
    x = [0.0] * len(left)
    for row in rows:
        _settle(row, {}, x, left, right)
    if all(len(row) == 1 for row in rows) and not any(s.out or s.into for s in steps):
        return x
    above, below = ([_firm(near, soft) for near in side] for side in (above, below))
    for sweep, firm in ((rows, above), (rows[::-1], below), (rows, above)):
        for row in sweep:
            wanted = {
                item: fmean(x[other] + shift for other, shift in firm[item])
                for item in row
                if firm[item]
            }
            _settle(row, wanted, x, left, right)
    return x


def _firm(near: list[tuple[int, float]], soft: Container[int]) -> list[tuple[int, float]]:
    return [(item, shift) for item, shift in near if item not in soft] or near


def _settle(
    row: Sequence[int],
    wanted: dict[int, float],
    x: list[float],
    left: Sequence[float],
    right: Sequence[float],
) -> None:
    """Move a row as near to what is wanted as its order and its gaps allow (least squares).

    Without the gaps this is isotonic regression, which pooling of adjacent violators solves.
    """
    offset, offsets = 0.0, []
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for i, item in enumerate(row):
        if i:
            offset += right[row[i - 1]] + GAP + left[item]
        offsets.append(offset)
        mean, size = wanted.get(item, x[item]) - offset, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        pools.append((mean, size))
    means = (mean for mean, size in pools for _ in range(size))
    for item, shift, mean in zip(row, offsets, means, strict=True):
        x[item] = round(mean + shift, 1)


def _neighbours(
    count: int, steps: Sequence[Link]
) -> tuple[list[list[tuple[int, float]]], list[list[tuple[int, float]]]]:
    """For each item what lies above and below it, and how far aside it docks."""
    above: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    below: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for a, b, out, into in steps:
        above[b].append((a, out - into))
        below[a].append((b, into - out))
    return above, below
