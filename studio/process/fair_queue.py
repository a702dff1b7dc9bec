"""A fair queue before a backend: sessions take turns, however much one of them asks for.

A first result goes a few turns before rounds that only refine one, and the more turns the more
sessions wait for it: in a class half of the pages are the same, and one call serves them all. With
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
from typing import Any, TypeVar

from studio.process.backend import Backend, backends
from studio.process.worker import LIMIT_S

T = TypeVar("T")
Send = Callable[[Backend], Future[T]]
Demand = Callable[[], int]  # how many sessions want the call
IsFirst = Callable[[], bool]  # whether it is their first result
LEAD = 3  # turns per session that waits for a first result; as many as a page's own design takes


class QueuedCall(Future[T]):
    """A call that waits for its turn, or has it. `cancel` stops it even after it has started."""

    def __init__(
        self,
        front: FairQueue,
        session: str,
        rank: int,
        number: int,
        wanted: Demand,
        blank: bool,
        send: Send[T],
    ) -> None:
        super().__init__()
        self.session, self._rank, self._number = session, rank, number
        self._front, self._wanted, self._blank, self._send = front, wanted, blank, send
        self._sent: Future[T] | None = None
        self._interrupted = False

    @property
    def priority_key(self) -> tuple[int, int, int]:
        """The smallest is served first. It changes as more sessions want the same call."""
        wanted = self._wanted()
        lead = LEAD * wanted if self._blank else 0
        return self._rank - lead, -wanted, self._number

    @property
    def position(self) -> int:
        """How many calls of other sessions are before it; 0 once it is served."""
        return self._front.calls_ahead(self)

    def cancel(self) -> bool:
        if super().cancel():
            return True
        self._interrupted = True
        return self._sent.cancel() if self._sent else self.running()

    def run(self, engine: Backend) -> None:
        """Make the call and wait until it is done."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self._sent = self._send(engine)
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

    def __init__(self, engine: Backend) -> None:
        self._engine = engine
        self._numbers = count()
        self._changed = Condition()  # guards the fields below
        self._waiting: list[QueuedCall[Any]] = []
        self._ranks: dict[str, int] = {}  # of each session's last call, if not yet passed
        self._rank = 0  # being served
        self._served: QueuedCall[Any] | None = None
        Thread(target=self._serve, name="front", daemon=True).start()

    def __len__(self) -> int:
        """Calls that wait or are served."""
        with self._changed:
            waiting = sum(not ticket.done() for ticket in self._waiting)
            return waiting + bool(self._served)

    def submit(
        self,
        session: str,
        function: Callable[..., T],
        /,
        *arguments: Any,
        limit_s: float = LIMIT_S,
        wanted: Demand = lambda: 1,
        blank: IsFirst = lambda: False,
    ) -> QueuedCall[T]:
        def send(engine: Backend) -> Future[T]:
            return engine.submit(function, *arguments, limit_s=limit_s)

        with self._changed:
            rank = self._ranks[session] = max(self._rank, 1 + self._ranks.get(session, -1))
            ticket = QueuedCall(self, session, rank, next(self._numbers), wanted, blank(), send)
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def calls_ahead(self, ticket: QueuedCall[Any]) -> int:
        with self._changed:
            if ticket not in self._waiting:
                return 0
            due = ticket.priority_key
            waiting = [other for other in self._waiting if not other.done()]
            before = [other for other in waiting if other.priority_key < due]
            before += [self._served] if self._served else []
            return sum(other.session != ticket.session for other in before)

    def _serve(self) -> None:
        while True:
            self._next().run(self._engine)

    def _next(self) -> QueuedCall[Any]:
        with self._changed:
            self._served = None
            self._changed.wait_for(lambda: self._waiting)
            ticket = self._served = min(self._waiting, key=attrgetter("priority_key"))
            self._waiting.remove(ticket)
            self._rank = max(self._rank, ticket.priority_key[0])
            self._ranks = {s: rank for s, rank in self._ranks.items() if rank >= self._rank}
            return ticket


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
            wanted=self.demand,
            blank=self.is_first,
        )


_FIRST = Lock()
_fronts: dict[Backend, FairQueue] = {}


def fair_queue(engine: Backend) -> FairQueue:
    """The one queue before a backend."""
    with _FIRST:
        if engine not in _fronts:
            _fronts[engine] = FairQueue(engine)
        return _fronts[engine]


def queue_client(
    device: str = "cpu",
    session: str = "",
    wanted: Demand = lambda: 1,
    blank: IsFirst = lambda: False,
) -> QueueClient:
    """A session's client of the shortest queue for a device."""
    shortest = min((fair_queue(engine) for engine in backends(device)), key=len)
    return QueueClient(shortest, session, wanted, blank)
