"""A lock with two priorities: what a user waits for at a slider goes before all other work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition
from time import monotonic

MAX_WAIT_S = 1.0  # that urgent callers may overtake another one

_is_urgent = ContextVar("hurried", default=False)


@contextmanager
def prioritize() -> Iterator[None]:
    """Calls of this thread within have priority over those without."""
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
        self._hurried = 0  # waiting

    @contextmanager
    def hold(self) -> Iterator[None]:
        hurried, end = _is_urgent.get(), monotonic() + MAX_WAIT_S

        def mine() -> bool:
            return not self._taken and (hurried or not self._hurried or monotonic() > end)

        with self._free:
            self._hurried += hurried
            try:
                self._free.wait_for(mine)
            finally:
                self._hurried -= hurried
            self._taken = True
        try:
            yield
        finally:
            with self._free:
                self._taken = False
                self._free.notify_all()
