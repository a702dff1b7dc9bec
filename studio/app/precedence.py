"""What a hand on a slider waits for goes before all else that the server draws.

The threads of one process take turns at running Python: beside ten pages whose charts are being
drawn, the figures of an eleventh take ten times as long. So the charts of one page are drawn at a
time, and none are begun while figures are on their way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition
from time import monotonic, sleep

import streamlit as st

STEP_S = 0.005  # of a pause
LOOK_S = 0.05  # between two looks at whether the reader of a page that waits has moved on
SWITCH_S = 0.001
LONGEST_S = 1.0  # that the urgent, who may never cease, go before one who waits

_within = ContextVar("within", default=False)


class Precedence:
    """First come those who are urgent, all at once; after them the others, one at a time."""

    def __init__(self) -> None:
        self._changed = Condition()  # guards those below
        self._urgent = 0
        self._taken = False
        self._ceased = monotonic()  # when the last one left

    @property
    def rested_s(self) -> float:
        """How long nobody has been here; 0 while somebody is."""
        with self._changed:
            return 0.0 if self._urgent or self._taken else monotonic() - self._ceased

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
        came = monotonic()
        while not self._takes(came):
            if not pressed:
                _end_if_outdated()
        token = _within.set(True)
        try:
            yield
        finally:
            _within.reset(token)
            with self._changed:
                self._taken = False
                self._ceased = monotonic()
                self._changed.notify_all()

    def _takes(self, came: float) -> bool:
        def mine() -> bool:
            return not self._taken and not (self._urgent and monotonic() < came + LONGEST_S)

        with self._changed:
            taken = self._changed.wait_for(mine, LOOK_S)
            self._taken = self._taken or taken
            return taken


PRECEDENCE = Precedence()


def quicken() -> None:
    """From now on, threads of this process hand over sooner than after Python's 5 ms: figures that
    are on their way meet one at work each time they come back from the network."""
    sys.setswitchinterval(SWITCH_S)


def pause(seconds: float) -> None:
    """Wait, unless the reader moves on."""
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        sleep(min(left, STEP_S))
        _end_if_outdated()


def _end_if_outdated() -> None:
    """Streamlit ends a run whose reader has moved on when it reads the session's state."""
    st.session_state.get("painted")
