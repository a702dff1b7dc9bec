"""When visitors came: nothing is measured by itself while a page loads.

A measurement takes a whole core, and so does the start of the process that measures. On a machine
of two cores a visitor who comes meanwhile waits twice as long for the page, and what is measured
while a browser of the same machine loads it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

LOAD_S = 4.0  # in which a page loads, with its charts
LONGEST_S = 12.0  # for which a measurement waits, if visitor follows visitor
POLL_S = 0.1


class Arrivals:
    """The last visitor's arrival, by a clock in seconds."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, sleep: Callable[[float], None] = sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._last_s = float("-inf")

    def note(self) -> None:
        """A visitor comes now."""
        self._last_s = self._clock()

    def is_loading(self, since_s: float) -> bool:
        """Whether a page loads, for which a measurement that waits since then still waits."""
        now_s = self._clock()
        return now_s < self._last_s + LOAD_S and now_s < since_s + LONGEST_S

    def wait(self) -> None:
        """Wait until no page loads."""
        since_s = self._clock()
        while self.is_loading(since_s):
            self._sleep(POLL_S)
