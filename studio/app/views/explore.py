"""The main view: the layer graph beside the tabs of the design."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio.app import session
from studio.app.diagram.colouring import colour_controls, coloured_graph
from studio.app.tabs.code import listing
from studio.app.tabs.layers import layers
from studio.app.tabs.lesson import lesson
from studio.app.tabs.memory import memory
from studio.app.tabs.report_tab import report
from studio.app.tabs.scaling import scaling
from studio.app.views.page_frame import Rest, picture
from studio.workbench.page.state import TABS, State

VIEWS = dict(zip(TABS, (scaling, layers, memory, listing, report, lesson), strict=True))


def explore(now: State) -> Rest:
    with st.container(key="beside"):
        left, right = st.columns([5, 6])
    aside = right.container()  # also if nothing is selected, so that the tabs stay the same
    with left:
        colour_controls(now)
        shown = coloured_graph(now)
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
    """The tabs; only the open one is computed."""
    shown = session.widget("tab", now.tab, default=now.tab)
    all_of_them = place.tabs(TABS, on_change=_choose_tab, **shown)
    for tab, view in zip(all_of_them, VIEWS.values(), strict=True):
        with tab:
            if tab.open:
                view(now)


def _choose_tab() -> None:
    if session.user_changed("tab"):
        session.commit(replace(session.current(), tab=session.value("tab")))
