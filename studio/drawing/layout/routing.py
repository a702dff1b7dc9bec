"""Phase 4, routing: tracks for the lines that run sideways between two rows (ELK: orthogonal edge
routing).

This is channel routing of chip design. The greedy assignment is that of Hashimoto and Stevens 1971,
with the vertical order of nets kept where it can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from studio.drawing.layout.block_graph import Segment
from studio.drawing.layout.placement import Placed


class ChannelWire(NamedTuple):
    """A line through the channel below row `channel`, from x `start` at its top to x `end` at its
    bottom. `above` and `below` are the ids of the vertices or lanes that it connects."""

    channel: int
    start: float
    end: float
    above: int
    below: int


@dataclass(frozen=True)
class Routed:
    """A block after routing.

    `wires`: how each segment passes the channels, from its tail. `tracks`: the track of each wire
    that moves sideways, counted from the top of its channel. `track_counts`: by channel.
    """

    placed: Placed
    wires: Mapping[Segment, tuple[ChannelWire, ...]]
    tracks: Mapping[ChannelWire, int]
    track_counts: Sequence[int]


def route(placed: Placed) -> Routed:
    """Assign a track to each line that moves sideways, so that no two nets overlap."""
    wires = {segment: _wires(placed, segment) for segment in placed.ordered.ranked.segments}
    channels: dict[int, dict[ChannelWire, None]] = {}
    for wire in (wire for passed in wires.values() for wire in passed):
        channels.setdefault(wire.channel, {})[wire] = None
    tracks: dict[ChannelWire, int] = {}
    counts = [0] * (len(placed.ordered.rows) + 1)
    for channel, in_channel in channels.items():
        assigned = assign_tracks(tuple(in_channel))
        tracks |= assigned
        counts[channel] = max(assigned.values(), default=-1) + 1
    return Routed(placed, wires, tracks, counts)


def _wires(placed: Placed, segment: Segment) -> tuple[ChannelWire, ...]:
    """The wires of a segment: one for each link of a chain; for a bypass one into its lane, and
    unless it enters its box at the side, one out of it."""
    ranked, x = placed.ordered.ranked, placed.x
    rank = ranked.rank
    if segment in placed.chains:
        return tuple(
            ChannelWire(rank[link.a], x[link.a] + link.out, x[link.b] + link.into, link.a, link.b)
            for link in placed.chains[segment]
        )
    a, b = ranked.vertex[segment.tail], ranked.vertex[segment.head]
    lane = placed.lanes[segment]
    into_lane = ChannelWire(rank[a], x[a] + placed.out[segment], lane.x, a, lane.wire)
    if placed.docks_at_side(segment):
        return (into_lane,)
    end = x[b] + placed.into[segment]
    return into_lane, ChannelWire(rank[b] - 1, lane.x, end, lane.wire, b)


def group_nets(wires: Sequence[ChannelWire]) -> list[list[ChannelWire]]:
    """The wires that may share a track: those with a common start, else those with a common end."""
    outs: dict[tuple[int, float], int] = {}
    for wire in wires:
        outs[wire.above, wire.start] = outs.get((wire.above, wire.start), 0) + 1
    group_nets: dict[tuple[bool, int, float], list[ChannelWire]] = {}
    for wire in wires:
        if abs(wire.start - wire.end) > 0.6:
            forks = outs[wire.above, wire.start] > 1
            pin = (wire.above, wire.start) if forks else (wire.below, wire.end)
            group_nets.setdefault((forks, *pin), []).append(wire)
    return list(group_nets.values())


def assign_tracks(wires: Sequence[ChannelWire]) -> dict[ChannelWire, int]:
    """A track, counted from the top, for each wire that moves sideways.

    Nets that overlap get different tracks. A net that starts at an x at which another ends gets the
    upper track, unless such constraints form a cycle; else both would run on one vertical line. Of
    two other nets, the upper one is that which crosses the other less there.
    """
    placed: list[tuple[int, list[ChannelWire]]] = []
    waiting = sorted(group_nets(wires), key=lambda net: min(min(w.start, w.end) for w in net))
    while waiting:
        net = next(
            (n for n in waiting if not any(_above(m, n) for m in waiting if m is not n)), None
        )
        net = net or waiting[0]
        waiting.remove(net)
        least = max((track + 1 for track, other in placed if _above(other, net)), default=0)
        taken = {track for track, other in placed if _overlap(other, net)}
        placed.append((next(t for t in count(least) if t not in taken), net))
    return {wire: track for track, net in placed for wire in net}


def _above(upper: list[ChannelWire], lower: list[ChannelWire]) -> bool:
    """True if the first net must or should have a track above the second."""
    if _shares_x(upper, lower) or _shares_x(lower, upper):
        return _shares_x(upper, lower)
    return _crossings(upper, lower) < _crossings(lower, upper)


def _shares_x(upper: list[ChannelWire], lower: list[ChannelWire]) -> bool:
    return any(abs(h.start - g.end) < 4 for h in upper for g in lower)


def _crossings(upper: list[ChannelWire], lower: list[ChannelWire]) -> int:
    """The number of crossings if the first net is above: where the lower net comes down through the
    upper one, and where the upper net goes down through the lower one."""
    down = sum(_within(x, wire) for wire in upper for x in {g.start for g in lower})
    return down + sum(_within(x, wire) for wire in lower for x in {h.end for h in upper})


def _within(x: float, wire: ChannelWire) -> bool:
    return min(wire.start, wire.end) < x < max(wire.start, wire.end)


def _overlap(one: list[ChannelWire], other: list[ChannelWire]) -> bool:
    (a, b), (c, d) = (
        (min(min(w.start, w.end) for w in net), max(max(w.start, w.end) for w in net))
        for net in (one, other)
    )
    return a < d + 4 and c < b + 4
