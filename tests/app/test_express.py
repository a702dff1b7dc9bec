"""What a reader waits for goes ahead of a run's other messages, into places that the page has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from studio.app import express

TITLE, FIGURES, GRAPH, CAPTION = (0, 0), (0, 1), (0, 2), (0, 3)


class Session(AppSession):
    """A session's queue and its event loop, at whose hands time passes. `got` are the places of the
    elements that the browser has been sent since it was last asked."""

    def __init__(self) -> None:
        self.id = "a session"
        self._browser_queue = ForwardMsgQueue()
        self._message_enqueued_callback = None
        self._settled = None
        self._event_loop: Any = self
        self.waiting: list[Callable[[], None]] = []
        self.got: list[express.Place] = []

    def shutdown(self) -> None:
        """Nothing of it runs."""

    def _call_soon_on_event_loop(self, call: Callable[[], None]) -> None:
        call()

    def call_later(self, delay: float, call: Callable[..., None], *args: object) -> Session:
        self.waiting = [lambda: call(*args)]
        return self

    def cancel(self) -> None:
        self.waiting = []

    def begin(self, fragment: str = "") -> None:
        message = ForwardMsg()
        message.new_session.name = "page"
        if fragment:
            message.metadata.run.fragment_ids.append(fragment)
        self._enqueue_forward_msg(message)

    def end(self) -> None:
        message = ForwardMsg()
        message.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        self._enqueue_forward_msg(message)

    def draw(self, place: express.Place) -> None:
        message = ForwardMsg()
        message.delta.new_element.markdown.body = "text"
        message.metadata.delta_path.extend(place)
        self._enqueue_forward_msg(message)

    def draw_first(self, place: express.Place) -> None:
        with express.first(self.id):
            self.draw(place)

    def send(self, message: ForwardMsg) -> None:
        if message.HasField("delta"):
            self.got.append(tuple(message.metadata.delta_path))

    def sent(self) -> list[express.Place]:
        """What the browser has been sent by now."""
        for message in self.flush_browser_queue():
            self.send(message)
        got, self.got = self.got, []
        return got

    def run(self) -> list[express.Place]:
        """A run of the page, and what is sent of it."""
        self.begin()
        self.draw_first(FIGURES)
        self.draw_first(GRAPH)
        express.send_rest(self.id)
        self.draw(CAPTION)
        self.end()
        return self.sent()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    express.apply()
    monkeypatch.setattr(express, "_send", Session.send)
    return Session()


def test_the_first_run_is_sent_in_its_order(session: Session) -> None:
    assert session.run() == [FIGURES, GRAPH, CAPTION]


def test_later_ones_send_first_what_is_waited_for_and_then_everything(session: Session) -> None:
    session.run()
    session.begin()
    session.draw(TITLE)
    session.draw_first(FIGURES)
    assert session.sent() == [FIGURES]
    session.draw_first(GRAPH)
    assert session.sent() == [GRAPH]
    express.send_rest(session.id)
    assert session.sent() == [TITLE, FIGURES, GRAPH]
    session.draw(CAPTION)
    assert session.sent() == []
    session.end()
    assert session.sent() == [CAPTION]


@pytest.mark.parametrize("sends_rest", [False, True])
def test_a_slow_run_is_not_held_for_long(session: Session, sends_rest: bool) -> None:
    session.run()
    session.begin()
    if sends_rest:
        express.send_rest(session.id)
    session.draw(CAPTION)
    for call in session.waiting:
        call()
    assert session.sent() == [CAPTION]
    session.draw_first(GRAPH)
    assert session.sent() == [GRAPH]


def test_nothing_goes_ahead_to_a_place_that_the_page_does_not_have(session: Session) -> None:
    session.run()
    session.begin()  # another view, without a graph
    session.draw_first(FIGURES)
    session.end()
    assert session.sent() == [FIGURES, FIGURES]
    assert session.run() == [FIGURES, FIGURES, GRAPH, CAPTION]


def test_what_was_drawn_and_never_sent_is_no_place(session: Session) -> None:
    session.begin()
    session.draw_first(FIGURES)
    assert session.sent() == [FIGURES]
    session.draw_first(GRAPH)  # and the next run begins
    session._browser_queue.clear(retain_lifecycle_msgs=True)
    assert session.run() == [FIGURES, FIGURES, GRAPH, CAPTION]


def test_a_run_that_was_not_heard_of_leaves_the_page_as_it_was(session: Session) -> None:
    session.run()
    session.begin()
    assert session.run() == [FIGURES, GRAPH, FIGURES, GRAPH, CAPTION]


def test_a_fragment_holds_nothing(session: Session) -> None:
    session.run()
    session.begin(fragment="polls")
    session.draw(CAPTION)
    assert session.sent() == [CAPTION]
