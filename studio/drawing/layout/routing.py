"""Tracks: how lines that move sideways between two rows keep clear of each other.

The problem is that of channel routing in chip design; the greedy way below is that of Hashimoto and
Stevens 1971, with the vertical order kept where it can be.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple


class Hop(NamedTuple):
    """A line on its way through the channel below row `channel`, from one wire to the next."""

    channel: int
    start: float
    end: float
    above: int
    below: int


def nets(hops: tuple[Hop, ...]) -> list[list[Hop]]:
    """The hops that may share a track: those of one source, else those to one target."""
    outs: dict[tuple[int, float], int] = {}
    for hop in hops:
        outs[hop.above, hop.start] = outs.get((hop.above, hop.start), 0) + 1
    found: dict[tuple[bool, int, float], list[Hop]] = {}
    for hop in hops:
        if abs(hop.start - hop.end) > 0.6:
            forks = outs[hop.above, hop.start] > 1
            wire = (hop.above, hop.start) if forks else (hop.below, hop.end)
            found.setdefault((forks, *wire), []).append(hop)
    return list(found.values())


def tracked(hops: tuple[Hop, ...]) -> dict[Hop, int]:
    """A track, counted from above, for each hop that moves aside; nets that overlap get their own.

    A net that comes from above at the x at which another goes on down lies above the other, as far
    as there is such an order: else both would run on one line. Of two others, that lies above which
    crosses the other less there.
    """
    placed: list[tuple[int, list[Hop]]] = []
    waiting = sorted(nets(hops), key=lambda net: min(min(h.start, h.end) for h in net))
    while waiting:
        net = next(
            (n for n in waiting if not any(_above(m, n) for m in waiting if m is not n)), None
        )
        net = net or waiting[0]
        waiting.remove(net)
        least = max((track + 1 for track, other in placed if _above(other, net)), default=0)
        taken = {track for track, other in placed if _overlap(other, net)}
        placed.append((next(t for t in count(least) if t not in taken), net))
    return {hop: track for track, net in placed for hop in net}


def _above(upper: list[Hop], lower: list[Hop]) -> bool:
    """Whether one net has to lie above another, or should."""
    if _shares(upper, lower) or _shares(lower, upper):
        return _shares(upper, lower)
    return _crossings(upper, lower) < _crossings(lower, upper)


def _shares(upper: list[Hop], lower: list[Hop]) -> bool:
    return any(abs(h.start - g.end) < 4 for h in upper for g in lower)


def _crossings(upper: list[Hop], lower: list[Hop]) -> int:
    """How often two nets cross if one lies above the other: where the lower one comes down through
    the upper, and the upper one goes on down through the lower."""
    down = sum(_within(x, hop) for hop in upper for x in {g.start for g in lower})
    return down + sum(_within(x, hop) for hop in lower for x in {h.end for h in upper})


def _within(x: float, hop: Hop) -> bool:
    return min(hop.start, hop.end) < x < max(hop.start, hop.end)


def _overlap(one: list[Hop], other: list[Hop]) -> bool:
    (a, b), (c, d) = (
        (min(min(h.start, h.end) for h in net), max(max(h.start, h.end) for h in net))
        for net in (one, other)
    )
    return a < d + 4 and c < b + 4
