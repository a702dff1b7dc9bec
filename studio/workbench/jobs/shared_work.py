"""Results by question: each is worked out once and shared by all sessions that ask for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from studio.process.fair_queue import QueuedCall
from studio.workbench.pending import Failed, NotAsked, Pending, Ready, Waiting

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
RETRY_S = 60.0  # after a failure, for whoever asks again
MAX_SESSIONS = 256  # whose latest question is remembered


class Work(Protocol[T_co]):
    """Work under way in another process or thread."""

    def poll(self) -> Pending[T_co]: ...

    def cancel(self) -> None:
        """Nobody wants its result: what has not begun will not."""


@dataclass(frozen=True, eq=False)
class Call(Generic[T]):
    """A single call of another process."""

    future: Future[T]

    def poll(self) -> Pending[T]:
        return pending(self.future)

    def cancel(self) -> None:
        drop(self.future)


def drop(call: Future[T]) -> None:
    """Cancel a call that has not begun. One that runs is left to end, since the process would have
    to be killed and started again, for which others would wait."""
    if not call.running():
        call.cancel()


def pending(call: Future[T]) -> Pending[T]:
    """How far a call is."""
    if call.cancelled():
        return Failed("it was cancelled")
    if not call.done():
        return Waiting(ahead=call.position if isinstance(call, QueuedCall) else 0)
    error = call.exception()
    return Failed(str(error)) if error else Ready(call.result())


class SharedWork(Generic[T]):
    """Results by question, finished and under way; the latest `limit` stay.

    A failure is the answer for all who ask, until `retry_s` seconds have passed. Of a session that
    is named only the latest question counts: an earlier one is cancelled, unless another session
    has asked it too.
    """

    def __init__(self, limit: int, retry_s: float = RETRY_S) -> None:
        self._limit, self._retry_s = limit, retry_s
        self._lock = Lock()  # guards the attributes below
        self._works: OrderedDict[Hashable, Work[T]] = OrderedDict()
        self._failed_at: dict[Hashable, float] = {}
        self._latest: OrderedDict[str, Hashable] = OrderedDict()  # question of each session

    def __call__(
        self, question: Hashable, start: Callable[[], Work[T]], session: str = ""
    ) -> Pending[T]:
        """The result of a question; `start` begins the work on it where nobody has asked it yet."""
        with self._lock:
            if session:
                self._remember(session, question)
            work = self._works.get(question)
            if work is None or self._is_stale(question):
                self._forget(question)
                work = self._works[question] = start()
            self._works.move_to_end(question)
            while len(self._works) > self._limit:
                self._forget(next(iter(self._works)))
            found = work.poll()
            if isinstance(found, Failed):
                self._failed_at.setdefault(question, monotonic())
            return found

    def known(self, question: Hashable) -> Pending[T]:
        """The result of a question, which nobody is made to work on."""
        with self._lock:
            work = self._works.get(question)
            return work.poll() if work else NotAsked()

    def _is_stale(self, question: Hashable) -> bool:
        """Whether it failed so long ago that it is tried again."""
        failed_at = self._failed_at.get(question)
        return failed_at is not None and monotonic() - failed_at > self._retry_s

    def _remember(self, session: str, question: Hashable) -> None:
        """Make this the latest question of a session, and drop the one before."""
        before = self._latest.pop(session, question)
        self._latest[session] = question
        while len(self._latest) > MAX_SESSIONS:
            self._latest.popitem(last=False)
        if before in self._latest.values():
            return
        work = self._works.get(before)
        if work and isinstance(work.poll(), Waiting):
            self._forget(before)

    def _forget(self, question: Hashable) -> None:
        self._failed_at.pop(question, None)
        if work := self._works.pop(question, None):
            work.cancel()
