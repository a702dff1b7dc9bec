"""Where each item of a row stands, so that lines run straight and nothing overlaps."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import accumulate, pairwise
from math import inf
from statistics import median, median_low

from studio.drawing.layout.ranking import Link, Near, neighbours

GAP = 26.0  # pixels between neighbours in a row
SLACK = 1e-4  # what a line weighs beside a box, where both want to stand in one place


def placed(
    rows: Sequence[Sequence[int]],
    steps: Sequence[Link],
    left: Sequence[float],
    right: Sequence[float],
    soft: Container[int] = (),
) -> list[float]:
    """The middle of each item, which reaches `left` and `right` of it, in pixels.

    Items that are `soft` (bends of long links, ports) give way to boxes, and do not pull at a box
    that another box holds straight.
    """
    x = [0.0] * len(left)
    if all(len(row) == 1 for row in rows) and not any(s.out or s.into for s in steps):
        return x
    weight = [SLACK if item in soft else 1.0 for item in range(len(left))]
    near = neighbours(len(left), steps)
    above, below = (_firm(side, soft) for side in near)
    for row in rows:
        _settle(row, {}, x, left, right, weight)
    for sweep, pulls in ((rows, above), (rows[::-1], below), (rows, above)):
        for row in sweep:
            wanted = {item: _pull(pulls[item], x) for item in row if pulls[item]}
            _settle(row, wanted, x, left, right, weight)
    _straighten(rows, *near, x, left, right)
    return x


def _strips(above: Near, below: Near) -> list[list[int]]:
    """The items that follow each other alone, from above; they are to be drawn straight."""
    follows = [len(near) == 1 and len(below[near[0][0]]) == 1 for near in above]
    found = []
    for item in range(len(above)):
        if not follows[item]:
            strip = [item]
            while len(below[strip[-1]]) == 1 and follows[below[strip[-1]][0][0]]:
                strip.append(below[strip[-1]][0][0])
            found.append(strip)
    return found


def _firm(near: Near, soft: Container[int]) -> Near:
    """The neighbours that pull: a single box alone, so that lines which join it aside do not."""
    firm = [[(item, shift) for item, shift in around if item not in soft] for around in near]
    return [boxes if len(boxes) == 1 else around for boxes, around in zip(firm, near, strict=True)]


def _pull(near: Sequence[tuple[int, float]], x: Sequence[float]) -> float:
    """Where its neighbours want an item: one line runs straight at least, where that can be."""
    if len(near) == 1:
        return x[near[0][0]] + near[0][1]
    by_item: dict[int, list[float]] = {}
    for other, shift in near:
        by_item.setdefault(other, []).append(x[other] + shift)
    return median(median_low(places) for places in by_item.values())


def _settle(
    row: Sequence[int],
    wanted: dict[int, float],
    x: list[float],
    left: Sequence[float],
    right: Sequence[float],
    weight: Sequence[float],
) -> None:
    """Move a row as near to what is wanted as its order and its gaps allow (least squares).

    Without the gaps this is isotonic regression, which pooling of adjacent violators solves.
    """
    if len(row) == 1:
        x[row[0]] = round(wanted.get(row[0], x[row[0]]), 1)
        return
    offset, offsets = 0.0, []
    pools: list[tuple[float, float, int]] = []  # (mean, weight, how many)
    for i, item in enumerate(row):
        if i:
            offset += right[row[i - 1]] + GAP + left[item]
        offsets.append(offset)
        mean, heavy, many = wanted.get(item, x[item]) - offset, weight[item], 1
        while pools and pools[-1][0] > mean:
            before, weighs, more = pools.pop()
            mean = (before * weighs + mean * heavy) / (weighs + heavy)
            heavy, many = heavy + weighs, many + more
        pools.append((mean, heavy, many))
    means = (mean for mean, _, many in pools for _ in range(many))
    for item, shift, mean in zip(row, offsets, means, strict=True):
        x[item] = round(mean + shift, 1)


def _straighten(
    rows: Sequence[Sequence[int]],
    above: Near,
    below: Near,
    x: list[float],
    left: Sequence[float],
    right: Sequence[float],
) -> None:
    """Put every strip on one line, where the neighbours of all its items leave room for that."""
    before = {b: a for row in rows for a, b in pairwise(row)}
    after = {a: b for row in rows for a, b in pairwise(row)}
    for strip in sorted(_strips(above, below), key=lambda strip: -x[strip[0]]):
        shifts = accumulate((above[item][0][1] for item in strip[1:]), initial=0.0)
        aside = dict(zip(strip, shifts, strict=True))  # how far each item docks beside the first
        lines = [x[i] - aside[i] for i in strip]
        if max(lines) - min(lines) < 0.1:
            continue
        free = [  # from where to where the first may stand for each item to have its gaps
            (
                x[before[i]] + right[before[i]] + GAP + left[i] - aside[i] if i in before else -inf,
                x[after[i]] - left[after[i]] - GAP - right[i] - aside[i] if i in after else inf,
            )
            for i in strip
        ]
        low, high = max(low for low, _ in free), min(high for _, high in free)
        if low <= high:
            line = min(max(median(lines), low), high)
            for item in strip:
                x[item] = round(line + aside[item], 1)
