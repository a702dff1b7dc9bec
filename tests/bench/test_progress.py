from __future__ import annotations

import pytest

from studio.bench.progress import Progress


class Clock:
    """Stands still unless it is turned on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_that_of_the_looks_ahead_and_of_the_timing():
    clock = Clock()
    pace = Progress(4, 6.0, clock)
    clock.now += 3.0  # a process had to be started
    assert pace.record_build() == (3 / 18, 118.0)  # three more like this one, and six seconds
    for _ in range(2):
        clock.now += 1.0
        pace.record_build()
    clock.now += 1.0
    share, end_s = pace.record_build()
    assert (share, end_s) == (6 / 12, 112.0)
    clock.now += 4.0  # with another session's turns between
    assert pace.record_round(0.5) == (10 / 14, 114.0)
    clock.now += 4.0
    assert pace.record_round(1.0) == (1.0, 114.0)


def test_slow_designs_end_with_the_rounds_that_they_take():
    """Six designs took eight seconds each to build, and one round then is all of the timing."""
    clock = Clock()
    pace = Progress(6, 6.0, clock)
    for _ in range(6):
        clock.now += 8.0
        share, end_s = pace.record_build()
    assert share == pytest.approx(48 / 54)
    assert end_s - clock.now == 6.0


def test_the_share_never_falls_though_the_time_left_may_grow():
    clock = Clock()
    pace = Progress(3, 6.0, clock)
    shares, ends = [], []
    for look_s in (1.0, 9.0, 9.0):
        clock.now += look_s
        told = pace.record_build()
        shares.append(told.share)
        ends.append(told.end_s)
    assert shares == sorted(shares)
    assert ends == sorted(ends)
