"""Mounts a knob panel, and turns what the browser says was moved into the state of the page.

The panel is controlled: Python says what it shows, the browser what was moved. The browser shows
its own value of a knob until Python has acknowledged the move.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from studio.app import session
from studio.app.knob_panel.rows import Section, controls, turned
from studio.workbench.page.knob_moves import Applied, read_report
from studio.workbench.page.state import State

# In this order: each file uses declarations of the files before it.
SCRIPT_FILES = ("moves.js", "elements.js", "reach.js", "controls.js", "panel.js")

Contents = Callable[[State], tuple[Section, ...]]


def knob_panel(now: State, key: str, contents: Contents) -> None:
    """Show a panel. `contents` are its rows in a state; a move counts only if the page still has
    its row."""
    applied = session.mine().applied_moves.get(key, Applied())
    shown = {
        "sections": [section.to_json() for section in contents(now)],
        "applied": dict(applied.serials),
    }

    def moved() -> None:
        apply_moves(key, contents, session.value(key).get("moves"))

    _component()(key=key, data=shown, on_moves_change=moved)


def apply_moves(key: str, contents: Contents, given: object) -> None:
    """Apply the moves that a browser reports, those that are new."""
    report, known = read_report(given), session.mine().applied_moves
    applied = known.get(key, Applied())
    known[key] = applied.with_report(report)
    if not (fresh := applied.fresh(report)):
        return
    state = session.current()
    for move in fresh:
        if row := controls(contents(state)).get(move.row):
            state = turned(state, row, move.value)
    session.commit(state)
    session.request_page()  # the message may be that of a fragment


@cache
def _component() -> Any:
    """The component, registered when it is first shown. Its files are small enough to go inline."""
    return st.components.v2.component(
        "knob_panel",
        html='<div class="knobs"></div>',
        css=_file("panel.css"),
        js="\n".join(map(_file, SCRIPT_FILES)),
    )


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
