"""Calls of other processes by what was asked, shared by all who ask the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from studio.workbench.pending import Failed, Pending, Ready, Waiting

T = TypeVar("T")
RETRY_S = 60.0  # after a failure, for whoever asks again


class Tasks(Generic[T]):
    """Results by question, finished and under way; the latest `limit` stay. A failure is the answer
    for all who ask, until `retry_s` seconds have passed."""

    def __init__(self, limit: int, retry_s: float = RETRY_S) -> None:
        self._limit, self._retry_s, self._lock = limit, retry_s, Lock()
        self._tasks: OrderedDict[Hashable, Future[T]] = OrderedDict()
        self._failed_at: dict[Hashable, float] = {}

    def __call__(self, question: Hashable, submit: Callable[[], Future[T]]) -> Pending[T]:
        """The result of a question, which `submit` asks where nobody has asked it yet."""
        with self._lock:
            task = self._tasks.get(question)
            if task is None or self._is_stale(question, task):
                task = self._tasks[question] = submit()
                self._failed_at.pop(question, None)
            self._tasks.move_to_end(question)
            while len(self._tasks) > self._limit:
                oldest, _ = self._tasks.popitem(last=False)
                self._failed_at.pop(oldest, None)
        return _pending(task)

    def known(self, question: Hashable) -> T | None:
        """The result of a question that somebody has asked, where it is there."""
        task = self._tasks.get(question)
        found = _pending(task) if task else None
        return found.value if isinstance(found, Ready) else None

    def _is_stale(self, question: Hashable, task: Future[T]) -> bool:
        """Whether it failed so long ago that it is tried again."""
        if not task.done() or not task.exception():
            return False
        return monotonic() - self._failed_at.setdefault(question, monotonic()) > self._retry_s


def _pending(task: Future[T]) -> Pending[T]:
    if not task.done():
        return Waiting()
    error = task.exception()
    return Failed(str(error)) if error else Ready(task.result())
