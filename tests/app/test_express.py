"""What a reader waits for goes ahead of a run's other messages, into places that the page has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from studio.app import express

FIGURES, GRAPH, CAPTION = (0, 1), (0, 2), (0, 3)


class Session(AppSession):
    """A session's queue and its event loop, at whose hands time passes. `ahead` are the places of
    what was sent at once."""

    def __init__(self) -> None:
        self.id = "a session"
        self._browser_queue = ForwardMsgQueue()
        self._message_enqueued_callback = None
        self._settled = None
        self._event_loop: Any = self
        self.waiting: list[Callable[[], None]] = []
        self.ahead: list[express.Place] = []

    def shutdown(self) -> None:
        """Nothing of it runs."""

    def _call_soon_on_event_loop(self, call: Callable[[], None]) -> None:
        call()

    def call_later(self, delay: float, call: Callable[..., None], *args: object) -> None:
        self.waiting.append(lambda: call(*args))

    def begin(self, fragment: str = "") -> None:
        message = ForwardMsg()
        message.new_session.name = "page"
        if fragment:
            message.metadata.run.fragment_ids.append(fragment)
        self._enqueue_forward_msg(message)

    def draw(self, place: express.Place) -> None:
        message = ForwardMsg()
        message.delta.new_element.markdown.body = "text"
        message.metadata.delta_path.extend(place)
        self._enqueue_forward_msg(message)

    def draw_first(self, place: express.Place) -> None:
        with express.first(self.id):
            self.draw(place)

    def flush(self) -> list[express.Place]:
        """The places of the elements that the browser is sent now."""
        sent = self.flush_browser_queue()
        return [tuple(one.metadata.delta_path) for one in sent if one.HasField("delta")]

    def run(self) -> list[express.Place]:
        """A run of the page, and what is sent of it in its order."""
        self.begin()
        self.draw_first(FIGURES)
        self.draw_first(GRAPH)
        self.draw(CAPTION)
        express.send_rest(self.id)
        return self.flush()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    express.apply()
    made = Session()

    def send(session: Session, message: ForwardMsg) -> None:
        session.ahead.append(tuple(message.metadata.delta_path))

    monkeypatch.setattr(express, "_send", send)
    return made


def test_the_first_run_is_sent_in_its_order(session: Session) -> None:
    assert session.run() == [FIGURES, GRAPH, CAPTION]
    assert session.ahead == []


def test_later_ones_send_first_what_is_waited_for_and_then_everything(session: Session) -> None:
    session.run()
    session.begin()
    session.draw_first(FIGURES)
    assert session.ahead == [FIGURES]
    assert session.flush() == []
    session.draw(CAPTION)
    session.draw_first(GRAPH)
    assert session.ahead == [FIGURES, GRAPH]
    express.send_rest(session.id)
    assert session.flush() == [FIGURES, CAPTION, GRAPH]


def test_a_slow_run_is_not_held_for_long(session: Session) -> None:
    session.run()
    session.begin()
    session.draw(CAPTION)
    for call in session.waiting:
        call()
    assert session.flush() == [CAPTION]
    session.draw_first(GRAPH)
    assert session.ahead == []
    assert session.flush() == [GRAPH]


def test_nothing_goes_ahead_to_a_place_that_the_page_does_not_have(session: Session) -> None:
    session.run()
    session.begin()  # another view, without a graph
    session.draw_first(FIGURES)
    express.send_rest(session.id)
    session.flush()
    session.ahead.clear()
    assert session.run() == [FIGURES, GRAPH, CAPTION]
    assert session.ahead == [FIGURES]


def test_what_was_drawn_and_never_sent_is_no_place(session: Session) -> None:
    session.begin()
    session.draw_first(FIGURES)
    assert session.flush() == [FIGURES]
    session.draw_first(GRAPH)  # and the next run begins
    session._browser_queue.clear(retain_lifecycle_msgs=True)
    session.run()
    assert session.ahead == [FIGURES]


def test_a_run_that_was_not_heard_of_leaves_the_page_as_it_was(session: Session) -> None:
    session.run()
    session.begin()
    session.run()
    assert session.ahead == [FIGURES, GRAPH]


def test_a_fragment_holds_nothing(session: Session) -> None:
    session.run()
    session.begin(fragment="polls")
    session.draw(CAPTION)
    assert session.flush() == [CAPTION]
