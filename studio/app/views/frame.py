"""What all views share: figures on top, the sidebar, and room for what the view itself shows.

Figures come before the sidebar in the script, since elements appear as they are made, and a hand
on a slider wants the figures first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic, sleep

import streamlit as st

from studio.analysis.heat import barred
from studio.app import figures, state
from studio.app.graph import laid_out, layer_graph
from studio.app.headline import headline, title
from studio.app.inspector import HINT, inspector
from studio.app.latency import latency
from studio.app.precedence import PRECEDENCE
from studio.app.sidebar import sidebar, views
from studio.app.state import VIEWS, State
from studio.app.takeaway import headed, take_away
from studio.drawing.graph import Graph
from studio.drawing.mark import Mark
from studio.drawing.sheet import Sheet

OF_ONE = VIEWS[:2]  # views of one design
PAINT_S = 0.05  # two frames, and the way to the browser


def frame(bodies: Mapping[str, Callable[[State], None]]) -> None:
    """The page, with the body of the open view; beneath its figures, where it is of one design."""
    with PRECEDENCE.first():
        now = state.arrived()
    if now.view in OF_ONE:
        of_one(now, bodies[now.view])
    else:
        with st.sidebar:
            views(now)
        warning(now)
        with PRECEDENCE.after():
            bodies[now.view](now)
    state.sent()


def of_one(now: State, body: Callable[[State], None]) -> None:
    with PRECEDENCE.first():
        title(now)
        exact, measured = st.columns([4, 1], gap="xsmall")
        with exact:
            headline(now)
    let_paint(now)
    with PRECEDENCE.after():
        with measured:
            latency(now)
        warning(now)
        with st.sidebar:
            sidebar(now)
        body(now)


def warning(now: State) -> None:
    """What was refused, in a place that is kept, so that nothing else moves."""
    refusal = st.empty()
    if now.refusal:
        refusal.warning(now.refusal, icon=":material/block:")


def let_paint(now: State) -> None:
    """Hold the rest back for a moment when the figures are new. A browser that receives the graph
    and the charts together with the figures paints all of them at once, 40 ms later. The graph is
    drawn meanwhile, which takes a large one longer than that."""
    if st.session_state.get("painted", now.case) != now.case:
        began = monotonic()
        with PRECEDENCE.after():
            laid_out(figures.graph(now.case), frozenset(now.opened))
        sleep(max(0.0, PAINT_S - (monotonic() - began)))
    st.session_state.painted = now.case


def look(opened: tuple[str, ...], node: str) -> None:
    """A block was opened or closed, or a node was selected."""
    state.put(replace(state.current(), opened=opened, node=node))


def picture(
    now: State,
    graph: Graph,
    on_change: Callable[[tuple[str, ...], str], None] = look,
    *,
    lit: str = "",
    sight: str = "",
    marks: Mapping[str, Mark] | None = None,
    legend: str = "",
) -> None:
    """The layer graph, its legend (HTML), and what there is to know about the node that is
    selected. Without `marks` a bar on each box tells its share of the parameters."""
    borne = barred(graph) if marks is None else marks
    node = layer_graph(
        graph,
        key=f"graph.{now.design.family.key}",
        opened=now.opened,
        selected=now.node,
        on_change=on_change,
        lit=lit,
        sight=sight,
        marks=borne,
    )
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, gap="small"):
        st.html(legend or f"<small>{HINT}</small>")
        shown = frozenset(now.opened)
        take_away(Sheet(graph=graph, heading=headed(now), opened=shown, marks=borne), now.title)
    if node is not None:
        inspector(now, node)
