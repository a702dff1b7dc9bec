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
AWAY_S = 60.0  # without a poll, after which a reader has left
MAX_SESSIONS = 256  # whose latest question is remembered


class Work(Protocol[T_co]):
    """Work under way in another process or thread. `poll` may be called by several threads."""

    def poll(self) -> Pending[T_co]: ...

    def cancel(self) -> bool:
        """Cancel the calls that have not started. Returns whether the work is to be forgotten; a
        single call that runs has a result soon, for whoever asks again."""


@dataclass(frozen=True, eq=False)
class Call(Generic[T]):
    """A single call of another process."""

    future: Future[T]

    def poll(self) -> Pending[T]:
        return to_pending(self.future)

    def cancel(self) -> bool:
        return drop(self.future)


def drop(call: Future[T]) -> bool:
    """Cancel a call unless it runs: to interrupt it, its process would have to be restarted, for
    which other sessions would wait. Returns whether it is cancelled."""
    return not call.running() and call.cancel()


def to_pending(call: Future[T]) -> Pending[T]:
    """The state of a call."""
    if call.cancelled():
        return Failed("it was cancelled")
    if not call.done():
        return Waiting(ahead=call.position if isinstance(call, QueuedCall) else 0)
    error = call.exception()
    return Failed(str(error) or type(error).__name__) if error else Ready(call.result())


class SharedWork(Generic[T]):
    """Results by question, finished and under way; the latest `limit` stay.

    A failure is the answer for all who ask, until `retry_s` seconds have passed. Of a named session
    only the latest question counts: an earlier one is cancelled, unless another session has asked
    it too. So is a question that nobody has polled for `away_s` seconds.
    """

    def __init__(self, limit: int, retry_s: float = RETRY_S, away_s: float = AWAY_S) -> None:
        self._limit, self._retry_s, self._away_s = limit, retry_s, away_s
        self._lock = Lock()  # guards the attributes below
        self._works: OrderedDict[Hashable, Work[T]] = OrderedDict()
        self._polled_at: dict[Hashable, float] = {}
        self._failed_at: dict[Hashable, float] = {}
        self._latest: OrderedDict[str, Hashable] = OrderedDict()  # question of each session

    def __call__(
        self, question: Hashable, start: Callable[[], Work[T]], session: str = ""
    ) -> Pending[T]:
        """The result of a question; `start` begins the work on it if it is new."""
        with self._lock:
            work = self._find(question, start, session)
        found = work.poll()
        if isinstance(found, Failed):
            with self._lock:
                self._failed_at.setdefault(question, monotonic())
        return found

    def known(self, question: Hashable) -> Pending[T]:
        """The result of a question, without starting work."""
        work = self._works.get(question)
        return work.poll() if work else NotAsked()

    def forget(self, question: Hashable) -> None:
        """So that the next one who asks gets a new result."""
        with self._lock:
            self._forget(question)

    def _find(self, question: Hashable, start: Callable[[], Work[T]], session: str) -> Work[T]:
        if session:
            self._remember(session, question)
        self._drop_abandoned()
        work = self._works.get(question)
        if work is None or self._is_stale(question):
            self._forget(question)
            work = self._works[question] = start()
        self._polled_at[question] = monotonic()
        self._works.move_to_end(question)
        while len(self._works) > self._limit:
            self._forget(next(iter(self._works)))
        return work

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
        if before not in self._latest.values():
            self._drop(before)

    def _drop_abandoned(self) -> None:
        """Drop the questions of readers who have left."""
        oldest = monotonic() - self._away_s
        for question in [q for q, polled_at in self._polled_at.items() if polled_at < oldest]:
            self._polled_at.pop(question)
            self._drop(question)

    def _drop(self, question: Hashable) -> None:
        """Forget a question that waits, unless its result comes soon."""
        work = self._works.get(question)
        if work and isinstance(work.poll(), Waiting) and work.cancel():
            self._forget(question)

    def _forget(self, question: Hashable) -> None:
        self._failed_at.pop(question, None)
        self._polled_at.pop(question, None)
        if work := self._works.pop(question, None):
            work.cancel()
