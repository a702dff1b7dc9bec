"""Races of Streamlit that a busy server loses: a control that was moved has moved the design,
whatever message comes meanwhile, and a browser gets every place on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1 import AppTest

from studio.app import streamlit_fixes
from studio.workbench.page.state import State
from tests.app.conftest import run, state, turn, visited

Move = Callable[[AppTest], Any]
VIT, RESNET = {"family": "vit"}, {"family": "resnet", "preset": "ResNet-18"}


def button(label: str) -> Move:
    return lambda app: next(b for b in app.button if b.label == label).click().run()


MOVES: Mapping[str, tuple[dict[str, str], Move]] = {
    "slider": (VIT, lambda app: turn(app, "vit.depth", 6)),
    "entry of a tuple": (RESNET, lambda app: turn(app, "resnet.depths.0", 3)),
    "slider of a ladder": (VIT, lambda app: turn(app, "vit.num_classes", 10)),
    "list": (VIT, lambda app: app.selectbox(key="family").set_value("resnet").run()),
    "preset": (VIT, lambda app: app.selectbox(key="vit.preset").set_value("ViT-L/16").run()),
    "condition": (VIT, lambda app: turn(app, "compiled", True)),
    "options": (VIT, lambda app: turn(app, "mode", "training")),
    "button": (VIT, button("Pin")),
    "another view": (VIT, lambda app: app.button_group(key="view").set_value("Compare").run()),
    "an axis": (VIT, lambda app: app.button_group(key="vit.axis").set_value("heads").run()),
    "a row": (
        {"family": "hybrid", "view": "Compose"},
        lambda app: turn(app, "hybrid.Residual.stages.0.depth", 3),
    ),
}


def moved(app: AppTest, move: Move) -> State:
    move(app)
    assert not app.exception
    return state(app)


def interrupt_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """When callbacks are called next, the browser's next message is there already, with all values
    and without the press. What comes back fills as that happens."""
    call, came = SessionState._call_callbacks, []

    def interrupted(session: SessionState, **rules: Any) -> None:
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        told = WidgetStates()
        for one in getattr(session._current_interaction_widget_states, "widgets", ()):
            if not one.trigger_value:
                told.widgets.append(one)
        if not came:
            came.append("a message")
            context.script_requests.request_rerun(
                RerunData(
                    query_string=context.query_string,
                    page_script_hash=context.page_script_hash,
                    widget_states=told,
                )
            )
        call(session, **rules)

    monkeypatch.setattr(SessionState, "_call_callbacks", interrupted)
    return came


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("kind", MOVES)
def test_a_message_that_comes_meanwhile_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    link, move = MOVES[kind]
    app = visited(link)
    before = state(app)
    with monkeypatch.context() as patched:
        came = interrupt_once(patched)
        found = moved(app, move)
    assert came
    assert found != before
    assert found == moved(visited(link), move)


def test_a_late_link_takes_nothing_back(app: AppTest) -> None:
    """A message without a control in it, from a browser that has not heard of the page's link."""
    old = dict(app.query_params)
    found = moved(app, lambda app: turn(app, "vit.depth", 6))
    app.query_params = old
    assert state(run(app)) == found


def drawn(text: str, *place: int, fragment: str = "") -> ForwardMsg:
    """The message that draws a text at a place of the page."""
    made = ForwardMsg()
    made.delta.new_element.markdown.body = text
    made.delta.fragment_id = fragment
    made.metadata.delta_path.extend(place)
    return made


def test_a_fragment_that_runs_again_takes_no_place_from_the_page() -> None:
    """The browser refuses a place whose predecessor it has not got."""
    streamlit_fixes.apply()
    queue = ForwardMsgQueue()
    for message in (drawn("a", 0, 0), drawn("b", 0, 1, fragment="polls"), drawn("c", 0, 2)):
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["polls"])
    queue.enqueue(drawn("new b", 0, 1, fragment="polls"))
    sent = queue.flush()
    assert [tuple(m.metadata.delta_path) for m in sent] == [(0, 0), (0, 1), (0, 2), (0, 1)]
    assert sent[-1].delta.new_element.markdown.body == "new b"


def test_a_run_of_the_whole_page_replaces_what_was_not_sent() -> None:
    streamlit_fixes.apply()
    queue = ForwardMsgQueue()
    queue.enqueue(drawn("old", 0, 0))
    queue.clear(retain_lifecycle_msgs=True)
    queue.enqueue(drawn("new", 0, 0))
    assert [m.delta.new_element.markdown.body for m in queue.flush()] == ["new"]
