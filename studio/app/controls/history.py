"""Undo, redo, and the list of the designs of this session."""

from __future__ import annotations

import streamlit as st

from studio.app import session
from studio.app.markup import plain
from studio.workbench.page.history import History, Visit, restore_visit, visit_label
from studio.workbench.page.state import State


def history(now: State) -> None:
    """Undo, redo, and the list of all visited designs, invalid compositions included."""
    visit = Visit(now.workload, now.preset, now.invalid_composition)
    known = session.mine().history = session.mine().history.add(visit)
    with st.container(horizontal=True, gap="xsmall", wrap=False, key="history"):
        for label, at in (("Undo", known.at - 1), ("Redo", known.at + 1)):
            able = 0 <= at < len(known.visits)
            words = visit_label(known, max(at, known.at)) if able else ""
            st.button(
                plain(label),
                key=label.lower(),
                help=plain(words) or None,
                disabled=not able,
                on_click=_go,
                args=(at,),
                width="stretch",
            )
        menu = st.popover("History", key="visits", width="stretch", on_change="rerun")
    if menu.open:  # else each of its buttons would be sent and drawn with every move of a knob
        with menu:
            visit_buttons(known)


def visit_buttons(known: History) -> None:
    """One button per visit, the newest first, the one on the page marked."""
    for at in reversed(range(len(known.visits))):
        st.button(
            f"{'● ' if at == known.at else ''}{plain(visit_label(known, at))}",
            key=f"history.{at}",
            type="tertiary",
            disabled=at == known.at,
            on_click=_go,
            args=(at,),
        )


def _go(at: int) -> None:
    known = session.mine().history = session.mine().history.go_to(at)
    session.commit(restore_visit(session.current(), known.visits[known.at]))
