"""A lock with two priorities: work that a user at a slider waits for goes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition
from time import monotonic

MAX_WAIT_S = 1.0  # for which urgent callers may overtake another one

_is_urgent = ContextVar("urgent", default=False)


@contextmanager
def prioritize() -> Iterator[None]:
    """Inside this context, calls of this thread have priority over those of other threads."""
    token = _is_urgent.set(True)
    try:
        yield
    finally:
        _is_urgent.reset(token)


class PriorityLock:
    """One holder at a time. Waiting urgent callers go first, but nobody waits longer than
    `MAX_WAIT_S` for them."""

    def __init__(self) -> None:
        self._free = Condition()  # guards the two below
        self._taken = False
        self._urgent_waiting = 0  # number of urgent callers that wait

    @contextmanager
    def hold(self) -> Iterator[None]:
        urgent, end = _is_urgent.get(), monotonic() + MAX_WAIT_S

        def may_enter() -> bool:
            return not self._taken and (urgent or not self._urgent_waiting or monotonic() > end)

        with self._free:
            self._urgent_waiting += urgent
            try:
                self._free.wait_for(may_enter)
            finally:
                self._urgent_waiting -= urgent
            self._taken = True
        try:
            yield
        finally:
            with self._free:
                self._taken = False
                self._free.notify_all()
