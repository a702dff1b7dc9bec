"""A fair queue before a backend: sessions take turns, however much one of them asks for.

First results are served before rounds that refine one, and earlier the more sessions wait for
them: in a class half of the pages are the same, and one call serves them all. With
40 sessions that ask for eight points each after one that asked for 120, the median session waits
half a second for its first point; first come, first served makes it 5.6 s. The price is that a unit
of work must be short: a round of a sweep, three seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from threading import Condition, Lock, Thread
from typing import Any, Protocol, TypeVar

from studio.process.backend import Backend, CallExecutor, backends
from studio.process.worker import LIMIT_S

T = TypeVar("T")
Send = Callable[[CallExecutor], Future[T]]
Demand = Callable[[], int]  # how many sessions want the call
IsFirst = Callable[[], bool]  # whether it is their first result
LEAD = 3  # turns per session that waits for a first result; as many as a page's own design takes


class QueuedCall(Future[T]):
    """A call that waits for its turn, or has it. `cancel` stops it even after it has started."""

    def __init__(
        self,
        queue: FairQueue,
        session: str,
        rank: int,
        number: int,
        demand: Demand,
        is_first: bool,
        send: Send[T],
    ) -> None:
        super().__init__()
        self.session, self.rank, self._number = session, rank, number
        self._queue, self._demand, self._is_first, self._send = queue, demand, is_first, send
        self._sent: Future[T] | None = None
        self._interrupted = False

    @property
    def priority_key(self) -> tuple[int, int, int]:
        """The smallest is served first. It changes as more sessions want the same call."""
        demand = self._demand()
        lead = LEAD * demand if self._is_first else 0
        return self.rank - lead, -demand, self._number

    @property
    def position(self) -> int:
        """How many calls of other sessions are before it; 0 once it is served."""
        return self._queue.calls_ahead(self)

    def cancel(self) -> bool:
        if super().cancel():
            self._queue.withdraw(self)
            return True
        self._interrupted = True
        return self._sent.cancel() if self._sent else self.running()

    def run(self, backend: CallExecutor) -> None:
        """Make the call and wait until it is done."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self._sent = self._send(backend)
            if self._interrupted:  # while it was being sent
                self._sent.cancel()
            result = self._sent.result()
        except Exception as error:  # any error is for whoever waits for this call
            self.set_exception(error)
        else:
            self.set_result(result)


class FairQueue:
    """Sends one call at a time to the backend, of the session that has had the fewest turns.

    Calls of a session have ranks that rise by one; the lowest rank is served first, and each
    session that waits for a first result lowers it by `LEAD`. A new session starts at the rank
    being served: nobody saves up turns, nobody has to catch up, and nobody waits forever.
    """

    def __init__(self, backend: CallExecutor) -> None:
        self.backend = backend
        self._numbers = count()
        self._changed = Condition()  # guards the fields below
        self._waiting: list[QueuedCall[Any]] = []
        self._ranks: dict[str, int] = {}  # of each session's last call, if not yet passed
        self._rank = 0  # being served
        self._served: QueuedCall[Any] | None = None
        Thread(target=self._serve, name="queue", daemon=True).start()

    def __len__(self) -> int:
        """Calls that wait or are served."""
        with self._changed:
            waiting = sum(not call.done() for call in self._waiting)
            return waiting + bool(self._served)

    def submit(
        self,
        session: str,
        function: Callable[..., T],
        /,
        *arguments: Any,
        limit_s: float = LIMIT_S,
        demand: Demand = lambda: 1,
        is_first: IsFirst = lambda: False,
    ) -> QueuedCall[T]:
        def send(backend: CallExecutor) -> Future[T]:
            return backend.submit(function, *arguments, limit_s=limit_s)

        with self._changed:
            rank = self._ranks[session] = max(self._rank, 1 + self._ranks.get(session, -1))
            call = QueuedCall(self, session, rank, next(self._numbers), demand, is_first(), send)
            self._waiting.append(call)
            self._changed.notify()
        return call

    def withdraw(self, call: QueuedCall[Any]) -> None:
        """Remove a cancelled call, which costs its session no turn."""
        with self._changed:
            if call not in self._waiting:
                return
            self._waiting.remove(call)
            left = [other.rank for other in self._waiting if other.session == call.session]
            if self._ranks.get(call.session) == call.rank:
                self._ranks[call.session] = max(left, default=call.rank - 1)
        call.set_running_or_notify_cancel()

    def calls_ahead(self, call: QueuedCall[Any]) -> int:
        with self._changed:
            if call not in self._waiting:
                return 0
            due = call.priority_key
            waiting = [other for other in self._waiting if not other.done()]
            before = [other for other in waiting if other.priority_key < due]
            before += [self._served] if self._served else []
            return sum(other.session != call.session for other in before)

    def _serve(self) -> None:
        while True:
            self._next().run(self.backend)

    def _next(self) -> QueuedCall[Any]:
        with self._changed:
            self._served = None
            self._changed.wait_for(lambda: self._waiting)
            call = self._served = min(self._waiting, key=attrgetter("priority_key"))
            self._waiting.remove(call)
            self._rank = max(self._rank, call.priority_key[0])
            self._ranks = {s: rank for s, rank in self._ranks.items() if rank >= self._rank}
            return call


@dataclass(frozen=True)
class QueueClient:
    """A fair queue as one session sees it: an executor."""

    queue: FairQueue
    session: str = ""
    demand: Demand = lambda: 1
    is_first: IsFirst = lambda: False

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = LIMIT_S
    ) -> QueuedCall[T]:
        return self.queue.submit(
            self.session,
            function,
            *arguments,
            limit_s=limit_s,
            demand=self.demand,
            is_first=self.is_first,
        )


_FIRST = Lock()
_queues: dict[Backend, FairQueue] = {}


def fair_queue(backend: Backend) -> FairQueue:
    """The one queue before a backend."""
    with _FIRST:
        if backend not in _queues:
            _queues[backend] = FairQueue(backend)
        return _queues[backend]


class OpenQueue(Protocol):
    """Gives a session access to a device; see `queue_client`."""

    def __call__(
        self,
        device: str = "cpu",
        session: str = "",
        demand: Demand = ...,
        is_first: IsFirst = ...,
    ) -> CallExecutor: ...


def queue_client(
    device: str = "cpu",
    session: str = "",
    demand: Demand = lambda: 1,
    is_first: IsFirst = lambda: False,
) -> QueueClient:
    """A session's client of the shortest queue for a device."""
    shortest = min((fair_queue(backend) for backend in backends(device)), key=len)
    return QueueClient(shortest, session, demand, is_first)
