"""What a hand on a slider waits for goes before all else that the server draws.

The threads of one process take turns at running Python: beside ten pages whose charts are being
drawn, the figures of an eleventh take ten times as long. So the charts of one page are drawn at a
time, and none are begun while figures are on their way. Who has waited longest is next, except that
a look (a part of a page that draws itself again, to see how far a measurement is) lets those go
first who come up to five seconds later: a class that measures looks more often than one core can
draw, and the graph of who moved a slider would wait for all of that.

Every wait has an end: the line is served in order, and who is at work for longer than
`LONGEST_WORK_S` is not waited for any more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from threading import Condition
from time import monotonic
from typing import NamedTuple

from studio.workbench.page_runs import PageRuns

LOOK_S = 0.05  # between two looks at whether the reader of a page that waits has moved on
SWITCH_S = 0.001
LONGEST_S = 1.0  # that the urgent, who may never cease, go before one who waits
LATER_S = 5.0  # that a look lets others go first
LONGEST_WORK_S = 10.0
LATEST = 0.1  # the share of the latest look in the average

_within = ContextVar("within", default=False)


class Place(NamedTuple):
    """In the line: the least is next."""

    due_s: float
    number: int


class Precedence:
    """First come those who are urgent, all at once; after them the others, one at a time."""

    def __init__(self, runs: PageRuns) -> None:
        self.runs = runs
        self._changed = Condition()  # guards those below
        self._numbers = count()
        self._urgent = 0
        self._line: list[Place] = []
        self._served: Place | None = None
        self._began = self._ceased = monotonic()  # when the last one was let in, and left
        self.look_cost_s = 0.01  # that a look takes, on the average of the latest

    @property
    def rested_s(self) -> float:
        """How long nobody has been here; 0 while somebody is."""
        with self._changed:
            return 0.0 if self._urgent or self._served else monotonic() - self._ceased

    @contextmanager
    def first(self) -> Iterator[None]:
        """Nobody is waited for, and nobody begins `after` in the meantime."""
        with self._changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                self._ceased = monotonic()
                self._changed.notify_all()

    @contextmanager
    def after(self, *, pressed: bool = False) -> Iterator[None]:
        """When nobody is first and nobody else is here. Within itself it waits for nothing.

        What is drawn for a reader who has moved on meanwhile is given up; what was `pressed` is
        done all the same.
        """
        if _within.get():
            yield
            return
        looks = self.runs.is_fragment()
        place = self._wait(looks, pressed)
        token, began = _within.set(True), monotonic()
        try:
            yield
        finally:
            _within.reset(token)
            with self._changed:
                if looks:
                    self.look_cost_s += LATEST * (monotonic() - began - self.look_cost_s)
                if self._served is place:
                    self._served = None
                self._ceased = monotonic()
                self._changed.notify_all()

    def _wait(self, looks: bool, pressed: bool) -> Place:
        """Until it is this one's turn, which its place in the line stands for."""
        came = monotonic()
        with self._changed:
            place = Place(came + LATER_S * looks, next(self._numbers))
            self._line.append(place)
        try:
            while not self._takes(place, came):
                if not pressed:
                    self.runs.stop_if_outdated()
        finally:
            with self._changed:
                self._line.remove(place)
        return place

    def _takes(self, place: Place, came: float) -> bool:
        def mine() -> bool:
            now = monotonic()
            free = self._served is None or now > self._began + LONGEST_WORK_S
            yields = self._urgent and now < came + LONGEST_S
            return free and not yields and min(self._line) == place

        with self._changed:
            taken = self._changed.wait_for(mine, LOOK_S)
            if taken:
                self._served, self._began = place, monotonic()
            return taken


PRECEDENCE = Precedence(PageRuns())


def quicken() -> None:
    """From now on, threads of this process hand over sooner than after Python's 5 ms: figures that
    are on their way meet one at work each time they come back from the network."""
    sys.setswitchinterval(SWITCH_S)
