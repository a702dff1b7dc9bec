"""Calls of other processes by what was asked, shared by all who ask the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from studio.workbench.pending import Failed, Pending, Ready, Waiting

T = TypeVar("T")


class Tasks(Generic[T]):
    """Results by question, finished and under way; the latest `limit` stay. One that has failed
    says so once: who asks again has it tried anew."""

    def __init__(self, limit: int) -> None:
        self._limit, self._lock = limit, Lock()
        self._tasks: OrderedDict[Hashable, Future[T]] = OrderedDict()

    def __call__(self, question: Hashable, submit: Callable[[], Future[T]]) -> Pending[T]:
        """The result of a question, which `submit` asks where nobody has asked it yet."""
        with self._lock:
            task = self._tasks.get(question)
            if task is None:
                task = self._tasks[question] = submit()
            self._tasks.move_to_end(question)
            if task.done() and task.exception():
                del self._tasks[question]
            while len(self._tasks) > self._limit:
                self._tasks.popitem(last=False)
        if not task.done():
            return Waiting()
        error = task.exception()
        return Failed(str(error)) if error else Ready(task.result())
