"""Priority gate between sessions: headline figures come before charts.

The threads of a process share one interpreter lock: if ten pages draw charts, the figures of an
eleventh take ten times as long. So only one page draws its charts at a time, and none starts while
another page computes its figures. The page that has waited longest is next. A poll (a fragment that
redraws itself to show progress) is queued as if it had come five seconds later: a class that
measures polls more often than one core can draw, and a user who moved a slider would wait for all
of these polls.

Every wait is bounded: the queue is served in order, and nobody waits for work that takes longer
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

CHECK_S = 0.05  # between two checks whether a waiting run is outdated
LONGEST_S = 1.0  # for which urgent work, which may never end, delays other work
LATER_S = 5.0  # by which a poll is moved back in the queue
LONGEST_WORK_S = 10.0
NEW_SHARE = 0.1  # weight of the latest poll in the running average

_inside = ContextVar("inside", default=False)


class Ticket(NamedTuple):
    """A place in the queue; the smallest is next."""

    due_s: float
    number: int


class Priority:
    """Urgent work runs at once; background work one page at a time, while none is urgent."""

    def __init__(self, runs: PageRuns, clock: Callable[[], float] = monotonic) -> None:
        self.runs = runs
        self.poll_cost_s = 0.01  # seconds: running average of a poll
        self._clock = clock
        self._changed = Condition()  # guards the attributes below
        self._numbers = count()
        self._urgent = 0
        self._queue: list[Ticket] = []
        self._served: Ticket | None = None
        self._began = self._ceased = clock()  # of the last background work, of any work

    @property
    def waiting(self) -> int:
        """Number of pages in the queue."""
        with self._changed:
            return len(self._queue)

    @property
    def rested_s(self) -> float:
        """Seconds since the last work ended; 0 during work."""
        with self._changed:
            return 0.0 if self._urgent or self._served else self._clock() - self._ceased

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Starts at once; no background work starts meanwhile."""
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
        """Exclusive; starts when no work is urgent. Re-entrant.

        An outdated run is stopped while it waits, unless the user `clicked` for this work.
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

    def _wait(self, is_poll: bool, clicked: bool) -> Ticket:
        """Wait in the queue until it is this run's turn."""
        came = self._clock()
        with self._changed:
            ticket = Ticket(came + (LATER_S if is_poll else 0.0), next(self._numbers))
            self._queue.append(ticket)
        try:
            while not self._begins(ticket, came):
                if not clicked:
                    self.runs.stop_if_outdated()
        finally:
            with self._changed:
                self._queue.remove(ticket)
        return ticket

    def _begins(self, ticket: Ticket, came: float) -> bool:
        def is_next() -> bool:
            now = self._clock()
            is_free = self._served is None or now > self._began + LONGEST_WORK_S
            yields = self._urgent and now < came + LONGEST_S
            return is_free and not yields and min(self._queue) == ticket

        with self._changed:
            begins = self._changed.wait_for(is_next, CHECK_S)
            if begins:
                self._served, self._began = ticket, self._clock()
            return begins
