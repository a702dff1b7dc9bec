"""The progress of a sweep in terms of time: what it has taken, and an estimate of what is left."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import pairwise
from time import monotonic
from typing import NamedTuple

RECENT_BUILDS = 3  # neighbours take about the same time; the first waits for the process


class ProgressEstimate(NamedTuple):
    """The share of the time that has passed, from 0 to 1, and the expected end, by the clock."""

    share: float
    end_s: float


class Progress:
    """The progress of a sweep of `count` designs: each is built and timed briefly, then rounds of
    timing take `budget_s` seconds if no other session has a turn.

    `clock` returns seconds. The share never falls.
    """

    def __init__(self, count: int, budget_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._count, self._budget_s, self._clock = count, budget_s, clock
        self._times = [clock()]  # at the start and after each build
        self._share = 0.0

    def record_build(self) -> ProgressEstimate:
        """Call after each build."""
        self._times.append(self._clock())
        latest = self._times[-RECENT_BUILDS - 1 :]
        look_s = statistics.median(b - a for a, b in pairwise(latest))
        ahead = self._count - len(self._times) + 1
        return self._estimate(ahead * look_s + self._budget_s)

    def record_round(self, share: float) -> ProgressEstimate:
        """Call after each round, with the share of the timing that is done."""
        taken_s = self._clock() - self._times[-1]
        return self._estimate(taken_s * (1 - share) / share if share else self._budget_s)

    def _estimate(self, left_s: float) -> ProgressEstimate:
        now = self._clock()
        passed_s = now - self._times[0]
        known = passed_s + left_s
        self._share = max(self._share, passed_s / known if known else 1.0)
        return ProgressEstimate(self._share, now + left_s)
