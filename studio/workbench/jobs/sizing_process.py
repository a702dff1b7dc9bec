"""The process that counts, sizes and simulates designs for all sessions.

Sizing the families for a task takes seconds of Python, simulating the training step of a detector
too: every slider of a class would feel that in the page's process.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from studio.process.backend import CallExecutor
from studio.process.fair_queue import FairQueue, QueueClient
from studio.process.worker import Worker

T = TypeVar("T")
SIZING_LIMIT_S = 180.0  # of a call


class SizingProcess:
    """The queue before that process, in which sessions take turns. It is started with the first
    call."""

    def __init__(self, start: Callable[[], CallExecutor] = Worker) -> None:
        self._start, self._lock = start, Lock()
        self._queue: FairQueue | None = None

    def __call__(self, session: str = "") -> CallExecutor:
        """The process as a session sees it."""
        with self._lock:
            if self._queue is None:
                self._queue = FairQueue(self._start())
            return QueueClient(self._queue, session)


class InPlace:
    """Makes calls in this process, in the thread of the queue: for the command line, which would
    wait for another process to import torch."""

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = SIZING_LIMIT_S
    ) -> Future[T]:
        call: Future[T] = Future()
        try:
            call.set_result(function(*arguments))
        except Exception as error:  # for whoever waits for the call
            call.set_exception(error)
        return call
