"""The main view: the layer graph beside what there is to know about the design."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio.app import state
from studio.app.colouring import lens, seen
from studio.app.layers import layers
from studio.app.lesson import lesson
from studio.app.listing import listing
from studio.app.memory import memory
from studio.app.report import report
from studio.app.scaling import scaling
from studio.app.state import TABS, State
from studio.app.views.frame import Rest, picture

VIEWS = dict(zip(TABS, (scaling, layers, memory, listing, report, lesson), strict=True))


def explore(now: State) -> Rest:
    with st.container(key="beside"):
        left, right = st.columns([5, 6])
    aside = right.container()  # kept where nothing is selected, so that the tabs stay the same
    with left:
        lens(now)
        shown = seen(now)
        beneath = picture(
            now,
            shown.graph,
            marks=shown.marks,
            legend=shown.legend,
            caption=shown.caption,
            beside=aside,
        )

    def rest() -> None:
        beneath()
        tabs(now, right)

    return rest


def tabs(now: State, place: DeltaGenerator) -> None:
    """Only the open one is computed."""
    shown = state.view("tab", now.tab, default=now.tab)
    all_of_them = place.tabs(TABS, on_change=_turn, **shown)
    for tab, view in zip(all_of_them, VIEWS.values(), strict=True):
        with tab:
            if tab.open:
                view(now)


def _turn() -> None:
    if state.is_meant("tab"):
        state.put(replace(state.current(), tab=st.session_state.tab))
