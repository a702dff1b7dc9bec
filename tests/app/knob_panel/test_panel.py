"""The knob panel on the page, driven by what a browser reports."""

from __future__ import annotations

import json

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

import studio
from tests.app.conftest import PANEL, knob_row, panels, report, run, state, turn, visited


def test_a_move_is_applied_and_acknowledged(app: AppTest) -> None:
    turn(app, "vit.depth", 6)
    assert state(app).design.value("depth") == 6
    assert knob_row(app, "vit.depth")["value"] == 6
    ((_, data),) = panels(app)
    assert data["applied"] == {PANEL: 1}


def test_a_refused_value_is_acknowledged_too_and_said_in_a_sentence(app: AppTest) -> None:
    turn(app, "vit.depth", 600)
    assert state(app).design == studio.design("vit")
    assert "depth=600 is outside 1 to 48" in app.warning[0].value.replace("\\", "")
    ((_, data),) = panels(app)
    assert data["applied"] == {PANEL: 1}


def test_a_message_told_again_is_applied_once(app: AppTest) -> None:
    ((panel, _),) = panels(app)
    first = {"serial": 1, "row": "vit.depth", "value": 6}
    report(app, panel, first)
    app.button(key="undo").click().run()
    report(app, panel, first, {"serial": 2, "row": "vit.embed_dim", "value": 384})
    assert (state(app).design.value("depth"), state(app).design.value("embed_dim")) == (12, 384)


def test_two_knobs_are_moved_at_once(app: AppTest) -> None:
    ((panel, _),) = panels(app)
    moves = [("depth", 6), ("patch_size", "32"), ("depth", 7)]
    told = [
        {"serial": n, "row": f"vit.{name}", "value": value}
        for n, (name, value) in enumerate(moves, 1)
    ]
    report(app, panel, *told)
    assert state(app).design == studio.design("vit", depth=7, patch_size=32)


def test_a_move_of_the_family_before_is_acknowledged_and_nothing_else(app: AppTest) -> None:
    ((panel, _),) = panels(app)
    app.selectbox(key="family").set_value("resnet").run()
    before = state(app).design
    report(app, panel, {"serial": 1, "row": "vit.depth", "value": 6})
    assert state(app).design == before
    ((_, data),) = panels(app)
    assert data["applied"] == {PANEL: 1}


@pytest.mark.parametrize(
    "told", [None, 1, [], "x", {"moves": 1}, {"moves": {"panel": "a", "moves": [{"serial": 1}]}}]
)
def test_what_is_no_report_is_ignored(app: AppTest, told: object) -> None:
    ((panel, _),) = panels(app)
    before = state(app)
    states = app._tree.get_widget_states()
    states.widgets.append(WidgetState(id=panel, json_value=json.dumps(told)))
    app._run(states)
    assert not app.exception
    assert state(app) == before


@pytest.mark.usefixtures("still")
def test_the_open_stage_has_a_panel_of_its_own() -> None:
    app = visited({"family": "hybrid", "view": "Compose", "place": "stem"})
    assert "hybrid.ConvStem.stem.width" in {
        row["id"] for _, data in panels(app) for s in data["sections"] for row in s["rows"]
    }
    turn(app, "hybrid.ConvStem.stem.width", 128)
    assert state(run(app)).design.value("stem.width") == 128
