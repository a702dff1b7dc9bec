"""The main page: figures on top, the layer graph beside what there is to know about the design.

Figures come before the sidebar in the script, since elements appear as they are made, and a hand
on a slider wants the figures first.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from time import sleep

import streamlit as st

from studio.app import figures, state
from studio.app.graph import layer_graph
from studio.app.headline import headline, title
from studio.app.latency import latency
from studio.app.layers import layers
from studio.app.lesson import lesson
from studio.app.listing import listing
from studio.app.memory import memory
from studio.app.precedence import PRECEDENCE
from studio.app.scaling import scaling
from studio.app.sidebar import sidebar
from studio.app.state import TABS, State
from studio.drawing.graph import Node

PAINT_S = 0.05  # two frames, and the way to the browser
VIEWS = dict(zip(TABS, (scaling, layers, memory, listing, lesson), strict=True))


def explore() -> None:
    with PRECEDENCE.first():
        now = state.arrived()
        title(now)
        exact, measured = st.columns([4, 1], gap="xsmall")
        with exact:
            headline(now)
    let_paint(now)
    with PRECEDENCE.after():
        with measured:
            latency(now)
        refusal = st.empty()
        if now.refusal:
            refusal.warning(now.refusal, icon=":material/block:")
        with st.sidebar:
            sidebar(now)
        left, right = st.columns([5, 6])
        with left:
            picture(now)
        with right:
            tabs(now)
        state.sent()


def let_paint(now: State) -> None:
    """Hold the rest back for a moment when the figures are new. A browser that receives the graph
    and the charts together with the figures paints all of them at once, 40 ms later."""
    if st.session_state.get("painted", now.case) != now.case:
        sleep(PAINT_S)
    st.session_state.painted = now.case


def picture(now: State) -> None:
    """The layer graph, and what there is to know about the node that is selected."""
    node = layer_graph(
        figures.graph(now.case),
        key=f"graph.{now.design.family.key}",
        opened=now.opened,
        selected=now.node,
        on_change=_look,
    )
    if node is None:
        st.caption("A click opens a block, or tells more about a layer.")
    else:
        st.html(f"<small>{told(node)}</small>")


def told(node: Node) -> str:
    return " · ".join([f"<b>{escape(node.label)}</b>", *map(escape, node.facts)])


def _look(opened: tuple[str, ...], node: str) -> None:
    state.put(replace(state.current(), opened=opened, node=node))


def tabs(now: State) -> None:
    """Only the open one is computed."""
    shown = state.view("tab", now.tab, default=now.tab)
    for tab, view in zip(st.tabs(TABS, on_change=_turn, **shown), VIEWS.values(), strict=True):
        with tab:
            if tab.open:
                view(now)


def _turn() -> None:
    if state.is_meant("tab"):
        state.put(replace(state.current(), tab=st.session_state.tab))
