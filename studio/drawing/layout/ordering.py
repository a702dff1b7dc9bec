"""The order of items in each row, so that few lines cross: the barycentre method of Sugiyama."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from statistics import fmean

from studio.drawing.layout.ranking import Link, Near, neighbours

SWEEPS = 4  # over all rows; more have not been seen to help


def ordered(rows: Sequence[Sequence[int]], steps: Sequence[Link]) -> list[list[int]]:
    """The rows sorted so that steps cross as little as sweeps down and up can make it.

    A sweep sorts each row by the middle of its neighbours in the row before. Where that leaves a
    choice, the order at the start decides, so rows are swept from their order here and from its
    mirror image. Row 0 stays as it is.
    """
    best = [list(row) for row in rows]
    fewest = crossings(best, steps) if max(map(len, rows[1:]), default=0) > 1 else 0
    if fewest:
        for candidate in _candidates(rows, steps):
            found = crossings(candidate, steps)
            if found < fewest:
                best, fewest = candidate, found
            if not fewest:
                break
    return best


def _candidates(rows: Sequence[Sequence[int]], steps: Sequence[Link]) -> Iterator[list[list[int]]]:
    """What the sweeps find, one after the other."""
    above, below = neighbours(sum(map(len, rows)), steps)
    widest = max(abs(dock) for step in steps for dock in (step.out, step.into))
    scale = 0.49 / widest if widest else 0.0  # docks of one item never lie beyond its neighbours
    for start in (rows, mirrored(rows)):
        here = [list(row) for row in start]
        for sweep in range(SWEEPS):
            upwards = sweep % 2 == 1
            before, here = here, _swept(here, below if upwards else above, scale, upwards)
            if sweep and here == before:
                break
            yield here


def mirrored(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """The rows from right to left, but row 0."""
    return [*map(list, rows[:1]), *(list(row[::-1]) for row in rows[1:])]


def _swept(
    rows: Sequence[Sequence[int]],
    near: Near,
    scale: float,
    upwards: bool,
) -> list[list[int]]:
    """Each row but row 0 by the middle of its neighbours, `near`; docks count by `scale`."""
    new = [list(row) for row in rows]
    position = {item: float(i) for row in rows for i, item in enumerate(row)}
    for row in new[:0:-1] if upwards else new[1:]:
        middle = {
            item: fmean(position[other] + scale * shift for other, shift in near[item])
            if near[item]
            else position[item]
            for item in row
        }
        row.sort(key=middle.__getitem__)
        position |= {item: float(i) for i, item in enumerate(row)}
    return new


def crossings(rows: Sequence[Sequence[int]], steps: Sequence[Link]) -> int:
    """How many pairs of steps cross."""
    place = {item: i for row in rows for i, item in enumerate(row)}
    row_of = {item: r for r, row in enumerate(rows) for item in row}
    between: list[list[tuple[tuple[int, float], tuple[int, float]]]] = [[] for _ in rows]
    for a, b, out, into in steps:
        between[row_of[a]].append(((place[a], out), (place[b], into)))
    total = 0
    for found in between:
        seen: list[tuple[int, float]] = []
        for _, end in sorted(found):
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total
