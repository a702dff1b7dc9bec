"""A lock for work of two kinds: what a hand on a slider waits for goes before all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition
from time import monotonic

MAX_WAIT_S = 1.0  # that the hurried, who may never cease, go before one who is not

_is_urgent = ContextVar("hurried", default=False)


@contextmanager
def prioritize() -> Iterator[None]:
    """What this thread asks for within goes before what others ask for without."""
    token = _is_urgent.set(True)
    try:
        yield
    finally:
        _is_urgent.reset(token)


class PriorityLock:
    """One at a time; of those who wait, the hurried first, but nobody is passed without end."""

    def __init__(self) -> None:
        self._free = Condition()  # guards those below
        self._taken = False
        self._hurried = 0  # who wait

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
