"""Lines that run beside each other in one channel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.drawing.layout.routing import ChannelWire, assign_tracks, group_nets

PLACES = st.integers(0, 12).map(lambda i: 20.0 * i)
HOPS = st.lists(
    st.builds(ChannelWire, st.just(0), PLACES, PLACES, st.integers(0, 9), st.integers(10, 19)),
    max_size=7,
    unique_by=(lambda hop: hop.above, lambda hop: hop.below),
)


def crossings(one: ChannelWire, other: ChannelWire, tracks: dict[ChannelWire, int]) -> int:
    """How often two hops cross: one on its track, the other on its way down to it or on from it."""
    upper, lower = sorted((one, other), key=tracks.__getitem__)
    pairs = ((lower.start, upper), (upper.end, lower))
    return sum(min(hop.start, hop.end) < x < max(hop.start, hop.end) for x, hop in pairs)


@given(HOPS)
def test_lines_on_one_track_never_meet(hops: list[ChannelWire]) -> None:
    tracks = assign_tracks(tuple(hops))
    for one in tracks:
        for other in tracks:
            if tracks[one] == tracks[other] and one.start != other.start and one.end != other.end:
                first, second = sorted((one, other), key=lambda hop: min(hop.start, hop.end))
                assert max(first.start, first.end) < min(second.start, second.end)


@given(st.lists(PLACES, min_size=4, max_size=4, unique=True))
def test_two_lines_cross_no_more_than_they_must(places: list[float]) -> None:
    a, b, c, d = places
    hops = ChannelWire(0, a, b, 1, 11), ChannelWire(0, c, d, 2, 12)
    tracks = assign_tracks(hops)
    assert len(group_nets(hops)) == len(tracks) == 2
    assert crossings(*hops, tracks) == ((a < c) != (b < d))


def test_what_moves_nowhere_needs_no_track() -> None:
    assert assign_tracks((ChannelWire(0, 20.0, 20.0, 1, 11),)) == {}
