"""The values of the slider under the pointer, sent to the browser before the slider is moved.

The browser asks (the state `want`), and a fragment answers with what is known, so that nothing else
of the page runs. It waits a little for news: a browser asks again with each answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any

import streamlit as st

from studio.analysis.cost.scaling import axes
from studio.app import session
from studio.app.knob_panel.rows import Row, Section, controls
from studio.app.knob_panel.tracks import values_of
from studio.app.preview.assets import joined
from studio.workbench.jobs.value_tables import ValueQuestion, ValueTable
from studio.workbench.page.state import State
from studio.workbench.page.turn import Turn
from studio.workbench.pending import Ready
from studio.workbench.workload import CONDITIONS

KEY = "values"
WAIT_S, STEP_S = 0.25, 0.01  # for news, and between two looks; with others ahead, longer
MOST_WAIT_S = 1.0
LONGEST, FARTHEST = 200, 1e15  # characters of a row's name, and a value
STYLE = """
.st-key-preview { position: absolute; }
.preview-marks { position: absolute; inset: 0; pointer-events: none; }
.preview-marks i { position: absolute; box-sizing: border-box; width: 13px; height: 13px;
  margin: -6.5px 0 0 -6.5px; border: 2px solid #e8590c; border-radius: 50%; }
"""

NO_VALUES = ValueTable(complete=True)
Contents = Callable[[State], tuple[Section, ...]]


@dataclass(frozen=True)
class Want:
    """What a browser asks for: the values of a row near to the hand. `number` counts questions."""

    row: str = ""
    at: float = 0.0
    number: int = 0


def read_want(given: object) -> Want:
    """The question of a browser. What is none asks for nothing."""
    if not isinstance(given, Mapping):
        return Want()
    row, at, number = (given.get(name) for name in ("row", "at", "number"))
    if not (isinstance(row, str) and len(row) <= LONGEST and isinstance(number, int)):
        return Want()
    if isinstance(at, bool) or not (isinstance(at, int | float) and -FARTHEST < at < FARTHEST):
        return Want(number=number)
    return Want(row, at, number)


def value_table(now: State, contents: Contents) -> None:
    """Answer for the sliders of this page. `contents` are the rows of its panels in a state."""
    with st.container(key="preview"):
        st.fragment(_answer)(now, contents)


def _answer(now: State, contents: Contents) -> None:
    """The answer. A run of the whole page has none: if it has swallowed a question, it says so by
    the question's number, and a browser whose pointer is still there asks again."""
    if session.mine().wants_page:
        session.rerun_page()
    want, found = read_want(session.known_value(KEY).get("want")), ValueTable()
    is_answer = session.RUNS.is_fragment()
    if is_answer:
        with session.bench().priority.background():
            asked = question(now, controls(contents(now)).get(want.row))
        found = _table(asked, want.at) if asked else NO_VALUES
    data = {
        "row": want.row if is_answer else "",
        "landings": [one.to_json() for one in found.landings],
        "complete": found.complete,
        "answers": want.number,
        "page": page_name(now),
        "applied": session.applied_serials(),
    }
    _component()(key=KEY, data=data, on_want_change=lambda: None)


def page_name(now: State) -> str:
    """Another one for a page with other figures, charts or predictions, of which landings may
    differ."""
    predictor = session.bench().predictor(now.workload)
    compared = (now.workload, now.preset, now.previous, now.pinned)
    return str(hash((*compared, now.shown_axis, now.opened, predictor)))


def _table(asked: ValueQuestion, hand: float) -> ValueTable:
    """What is known of a row's values, after a short wait for more."""
    bench = session.bench()

    def look() -> ValueTable:
        found = bench.value_table(asked, hand, session.name())
        return found.value if isinstance(found, Ready) else NO_VALUES

    found, start = look(), monotonic()
    known, turns = len(found.landings), 1 + found.ahead
    end = start + min(WAIT_S * turns, MOST_WAIT_S)
    while not found.complete and len(found.landings) == known and monotonic() < end:
        session.pause(min(STEP_S * turns, WAIT_S))
        found = look()
    return found


def question(now: State, row: Row | None) -> ValueQuestion | None:
    """The question of what the page shows at the values of a row; None where it is no slider, and
    while the figures on the page are those of another design than its sliders."""
    if row is None or row.track is None or row.kind != "range" or now.invalid_composition:
        return None
    return ValueQuestion(
        turn=Turn(row.knob, row.entry),
        values=values_of(row.track, type(row.value)),
        workload=now.workload,
        preset=now.preset,
        previous=now.previous,
        pin=now.pinned,
        axis=axes(now.design)[now.shown_axis].name,
        opened=frozenset(now.opened),
        # Latencies under other conditions are other measurements' to predict.
        predictor=None if row.knob in CONDITIONS else session.bench().predictor(now.workload),
    )


@cache
def _component() -> Any:
    """The component, registered when it is first shown; nothing of it is seen."""
    return st.components.v2.component(
        "value_table",
        html='<div class="values"></div>',
        css=STYLE,
        js=joined("hand.js", "chart_marks.js", "value_table.js"),
        isolate_styles=False,
    )
