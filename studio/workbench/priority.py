"""Priority gate between sessions: headline figures come before charts.

The threads of one process take turns at running Python: beside ten pages that draw charts, the
figures of an eleventh take ten times as long. So only one page draws its charts at a time, and none
begins while the figures of another are under way. The page that has waited longest is next, except
that a poll (a fragment that draws itself again to show progress) lets those go first who come up to
five seconds later: a class that measures polls more often than one core can draw, and the graph of
a reader who moved a slider would wait for all of it.

Every wait has an end: the queue is served in order, and nobody waits for work that takes longer
than `LONGEST_WORK_S`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from threading import Condition
from time import monotonic
from typing import NamedTuple

from studio.workbench.page_runs import PageRuns

CHECK_S = 0.05  # between two checks whether the reader of a waiting page has moved on
LONGEST_S = 1.0  # that urgent work, which may never cease, delays other work
LATER_S = 5.0  # by which a poll is queued later
LONGEST_WORK_S = 10.0
NEW_SHARE = 0.1  # of the latest poll in the running average

_inside = ContextVar("inside", default=False)


class Place(NamedTuple):
    """A place in the queue: the least is next."""

    due_s: float
    number: int


class Priority:
    """Urgent work runs at once; background work one page at a time, while none is urgent."""

    def __init__(self, runs: PageRuns, clock: Callable[[], float] = monotonic) -> None:
        self.runs = runs
        self.poll_cost_s = 0.01  # running average of what a poll takes
        self._clock = clock
        self._changed = Condition()  # guards the attributes below
        self._numbers = count()
        self._urgent = 0
        self._queue: list[Place] = []
        self._served: Place | None = None
        self._began = self._ceased = clock()  # when the last one was let in, and left

    @property
    def waiting(self) -> int:
        """Number of pages in the queue."""
        with self._changed:
            return len(self._queue)

    @property
    def rested_s(self) -> float:
        """Seconds since the last work ended; 0 while there is any."""
        with self._changed:
            return 0.0 if self._urgent or self._served else self._clock() - self._ceased

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Waits for nobody, and no background work begins meanwhile."""
        with self._changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                self._ceased = self._clock()
                self._changed.notify_all()

    @contextmanager
    def background(self, *, clicked: bool = False) -> Iterator[None]:
        """Exclusive; begins when no work is urgent. Re-entrant.

        A run whose reader has moved on meanwhile is stopped; what was `clicked` is done all the
        same.
        """
        if _inside.get():
            yield
            return
        is_poll = not clicked and self.runs.is_fragment()
        place = self._wait(is_poll, clicked)
        token, began = _inside.set(True), self._clock()
        try:
            yield
        finally:
            _inside.reset(token)
            with self._changed:
                if is_poll:
                    self.poll_cost_s += NEW_SHARE * (self._clock() - began - self.poll_cost_s)
                if self._served is place:
                    self._served = None
                self._ceased = self._clock()
                self._changed.notify_all()

    def _wait(self, is_poll: bool, clicked: bool) -> Place:
        """Queue, until it is this one's turn."""
        came = self._clock()
        with self._changed:
            place = Place(came + (LATER_S if is_poll else 0.0), next(self._numbers))
            self._queue.append(place)
        try:
            while not self._begins(place, came):
                if not clicked:
                    self.runs.stop_if_outdated()
        finally:
            with self._changed:
                self._queue.remove(place)
        return place

    def _begins(self, place: Place, came: float) -> bool:
        def is_next() -> bool:
            now = self._clock()
            is_free = self._served is None or now > self._began + LONGEST_WORK_S
            yields = self._urgent and now < came + LONGEST_S
            return is_free and not yields and min(self._queue) == place

        with self._changed:
            begins = self._changed.wait_for(is_next, CHECK_S)
            if begins:
                self._served, self._began = place, self._clock()
            return begins
