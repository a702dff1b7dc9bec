"""Sends the browser what a reader waits for before all else that a run of the page says.

A browser draws its whole page again when it hears that a run has begun, and again for the next
things that it hears: 20 to 40 ms each time, in which the new figures lie in its queue. So a run
says nothing at first: what is drawn within `first` is sent as soon as it is made, into its place on
the page that the browser shows. What the run has said by then follows in its order, these elements
included, once `send_rest` is called or a moment has passed; the end of the run follows in one piece
too, and is drawn at once.

An element goes ahead only if the run before has sent one in the same place: a browser refuses an
element for a place that its page does not have.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from weakref import WeakKeyDictionary, WeakValueDictionary

from streamlit import runtime
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession

NEEDED = ("_enqueue_forward_msg", "flush_browser_queue", "_call_soon_on_event_loop")
LONGEST_HOLD_S = 0.06  # for which the other messages of a run wait
LONGEST_END_S = 0.15  # for which those after `send_rest` wait for the end of the run

Place = tuple[int, ...]


@dataclass
class _Run:
    """A run of the whole page, as the event loop of its session sees it.

    Places of first elements: `known` of the page before this run, `drawn` by this run, and `sent`
    of those in their order; None while the browser has heard nothing of this run.
    """

    known: frozenset[Place]
    drawn: set[Place] = field(default_factory=set)
    sent: frozenset[Place] | None = None
    holds: bool = True
    is_first: bool = False  # what is drawn now goes ahead
    timer: TimerHandle | None = None  # ends the hold

    @property
    def on_page(self) -> frozenset[Place]:
        """Places of first elements that the browser's page has."""
        return self.known if self.sent is None else self.sent


_sessions: WeakValueDictionary[str, AppSession] = WeakValueDictionary()
_runs: WeakKeyDictionary[AppSession, _Run] = WeakKeyDictionary()


@cache
def apply() -> None:
    """From now on, in this process. Without what it needs of Streamlit, in a later version, the
    messages go in their order."""
    if all(hasattr(AppSession, name) for name in NEEDED):
        _send_first_elements_first()


def _send_first_elements_first() -> None:
    enqueue, flush = AppSession._enqueue_forward_msg, AppSession.flush_browser_queue

    def enqueue_and_send_first(session: AppSession, message: ForwardMsg) -> None:
        if message.HasField("new_session") and not message.metadata.run.fragment_ids:
            _begin(session)
        if run := _runs.get(session):
            _send_first(session, run, message)
        enqueue(session, message)
        if run and message.HasField("script_finished"):
            _release(session, run)

    def flush_unless_held(session: AppSession) -> list[ForwardMsg]:
        if run := _runs.get(session):
            if run.holds:
                return []
            run.sent = frozenset(run.drawn)
        return flush(session)

    setattr(AppSession, enqueue.__name__, enqueue_and_send_first)
    setattr(AppSession, flush.__name__, flush_unless_held)


@contextmanager
def first(session_id: str) -> Iterator[None]:
    """What is drawn within goes ahead of the other messages of this run."""
    _change(session_id, partial(_mark, is_first=True))
    try:
        yield
    finally:
        _change(session_id, partial(_mark, is_first=False))


def send_rest(session_id: str) -> None:
    """Nothing more goes ahead: send everything so far in its order, and what comes together."""
    _change(session_id, _send_held)


def _begin(session: AppSession) -> None:
    before = _runs.get(session)
    known = before.on_page if before else frozenset[Place]()
    _sessions[session.id] = session
    run = _runs[session] = _Run(known, holds=bool(known))
    if run.holds:
        run.timer = session._event_loop.call_later(LONGEST_HOLD_S, _release, session, run)


def _send_first(session: AppSession, run: _Run, message: ForwardMsg) -> None:
    if run.is_first and (message.HasField("ref_hash") or message.delta.HasField("new_element")):
        place = tuple(message.metadata.delta_path)
        run.drawn.add(place)
        if run.holds and place in run.known:
            _send(session, message)


def _mark(session: AppSession, run: _Run, is_first: bool) -> None:
    run.is_first = is_first


def _send_held(session: AppSession, run: _Run) -> None:
    if not run.holds:
        return
    run.holds = False
    for message in session.flush_browser_queue():
        _send(session, message)
    run.holds = True
    if run.timer:
        run.timer.cancel()
    run.timer = session._event_loop.call_later(LONGEST_END_S, _release, session, run)


def _release(session: AppSession, run: _Run) -> None:
    if run.holds:
        run.holds = False
        if wake := session._message_enqueued_callback:
            wake()


def _send(session: AppSession, message: ForwardMsg) -> None:
    server = runtime.get_instance()
    if info := server._session_mgr.get_active_session_info(session.id):
        server._send_message(info, message)


def _change(session_id: str, change: Callable[[AppSession, _Run], None]) -> None:
    """Change the run of a session on its event loop, after what the page has drawn so far."""
    session = _sessions.get(session_id)
    if session is None:
        return

    def changed() -> None:
        if run := _runs.get(session):
            change(session, run)

    session._call_soon_on_event_loop(changed)
