"""The frame that all views share: headline figures, sidebar, and the view itself.

Elements appear in the order of the script. While a slider is dragged, the headline figures matter
most and the layer graph next, so the sidebar and everything else come after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio.analysis.graph.cost_heatmap import share_bars
from studio.app import express, session
from studio.app.compose.stage_knobs import stage_sections
from studio.app.controls.history import history
from studio.app.controls.page_keys import page_keys
from studio.app.controls.sidebar import COMPOSE, sidebar, sidebar_sections, views
from studio.app.diagram.component import layer_graph
from studio.app.diagram.downloads import downloads, figure_heading_of
from studio.app.diagram.graph_table import graph_table
from studio.app.diagram.node_panel import HINT, node_panel
from studio.app.header.headline import headline, title
from studio.app.header.latency_card import latency_card
from studio.app.knob_panel.rows import Section
from studio.app.links import page_link
from studio.app.markup import html, plain
from studio.app.preview.value_table import value_table
from studio.drawing.decoration import Mark
from studio.drawing.figure import Figure
from studio.drawing.graph import Graph
from studio.workbench import results
from studio.workbench.page.state import IGNORED, State

NAME = "Neural architecture studio"
PURPOSE = (
    "Choose a network, move its sliders, and see the real PyTorch model rebuilt, drawn, counted,"
    " timed and exported."
)
STYLE = """<style>
.st-key-masthead { margin-bottom: -.9rem; }
.st-key-masthead h1 { display: inline; margin: 0; padding: 0; font-size: .95rem; font-weight: 700; }
.st-key-masthead p { display: inline; margin: 0 0 0 .6rem; font-size: .85rem; opacity: .8; }
/* Streamlit writes in white on any primary colour; on that of the dark theme it cannot be read. */
button[kind="primary"], button[kind="primary"]:hover { color: light-dark(#fff, #12161f); }
.stSidebar input { text-overflow: ellipsis; }
/* Families with their tasks are wider than the sidebar: their list may be so too. */
body:has(.stSidebar input[aria-expanded="true"]) [data-testid="stSelectboxVirtualDropdown"] {
  min-width: min(30rem, calc(100vw - 3rem)); }
/* The titles of two charts side by side do not fit otherwise: their width is the screen's. */
@media (max-width: 640px) { .js-plotly-plot .annotation-text { font-size: 10px !important; } }
/* What the node panel may cover on a narrow page. */
@media (max-width: 768px) { .stMain { --covered: 46vh; } }
</style>"""
TALL = "clamp(24rem, calc(100vh - 19.7rem), 46rem)"  # ends with the window
UNUSED = "constants, or heads used only in training"
GRAPH_S = 0.05  # time in which the browser draws it

Rest = Callable[[], None]  # draws what a view shows beside its layer graph
OfOne = Callable[[State], Rest]  # draws the layer graph of the page's design


def frame(of_one: Mapping[str, OfOne], of_several: Mapping[str, Callable[[State], None]]) -> None:
    """The page with its open view. A view of a single design is below the figures of the design; a
    view of several designs fills the page."""
    with session.bench().priority.urgent():
        now = session.restore()
        masthead(now)
    if now.view in of_one:
        _of_one(now, of_one[now.view])
    else:
        with st.sidebar:
            views(now)
            history(now)
        warning(now)
        with session.bench().priority.background():
            of_several[now.view](now)
        session.write_link()
    session.mark_rendered()


def masthead(now: State) -> None:
    """Title, purpose, and a button that copies the link."""
    with st.container(
        horizontal=True, vertical_alignment="center", wrap=False, gap="small", key="masthead"
    ):
        html(f"{STYLE}<h1>{NAME}</h1><p>{PURPOSE}</p>")
        page_keys(page_link(now))


def _of_one(now: State, view: OfOne) -> None:
    with session.bench().priority.urgent():
        title(now)
        exact, measured = st.columns([4, 1], gap="xsmall")
        with exact, express.first(session.name()):
            headline(now)
        warning(now)
    with delay_rest(_painting_s(now)), session.bench().priority.background():
        rest = view(now)
    session.mine().painted = now.workload
    express.send_rest(session.name())
    session.write_link()
    with session.bench().priority.background():
        with measured:
            latency_card(now)
        with st.sidebar:
            sidebar(now)
        rest()
    value_table(now, panel_sections)


def _painting_s(now: State) -> float:
    """How long the rest of a run waits for figures and graph to be on the screen. A new page loads
    the script of the charts after that, which occupies the browser for a while."""
    painted = session.mine().painted
    if painted is None:
        return session.bench().first_paint_s
    return GRAPH_S if painted != now.workload else 0.0


def panel_sections(now: State) -> tuple[Section, ...]:
    """The rows of all knob panels of a view of one design."""
    stages = stage_sections(now) if now.view == COMPOSE else ()
    return (*sidebar_sections(now), *stages)


def warning(now: State) -> None:
    """Refusals and ignored link parameters, in reserved places, so that nothing else moves."""
    refusal, note = st.empty(), st.empty()
    if now.refusal:
        refusal.warning(plain(now.refusal), icon=":material/block:")
    if ignored := now.notes.get(IGNORED):
        note.caption(plain(ignored))


@contextmanager
def delay_rest(seconds: float) -> Iterator[None]:
    """Delay what follows until this long after the start. A browser that receives the sidebar and
    the charts together with figures and graph paints all of them at once, 100 ms later."""
    end = monotonic() + seconds
    yield
    session.pause(end - monotonic())


def select_in_graph(opened: tuple[str, ...], node: str) -> None:
    """Store which blocks are open and which node is selected."""
    session.commit(replace(session.current(), opened=opened, node=node))


def parameters_without_box(now: State, graph: Graph) -> int:
    """The number of parameters that belong to no box of the graph."""
    whole = results.profile_of(now.workload).params
    return max(0, whole - sum(child.figures.params for child in graph.root.children))


def picture(
    now: State,
    graph: Graph,
    on_change: Callable[[tuple[str, ...], str], None] = select_in_graph,
    *,
    highlighted: str = "",
    scroll_to: str = "",
    marks: Mapping[str, Mark] | None = None,
    legend: str = "",
    caption: str = "",
    beside: DeltaGenerator | None = None,
) -> Rest:
    """Draw the layer graph. Returns a function that draws the rest: its legend (HTML), the boxes as
    a table, and the details of the selected node, `beside` the graph or else over its lower part.
    `caption` is part of exported pictures. Without `marks`, bars show the shares of the
    parameters."""
    shown_marks = share_bars(graph) if marks is None else marks
    with express.first(session.name()):
        node = layer_graph(
            graph,
            key=f"graph.{now.design.family.key}",
            opened=now.opened,
            selected=now.node,
            on_change=on_change,
            highlighted=highlighted,
            scroll_to=scroll_to,
            marks=shown_marks,
            height=TALL,
            applied=session.applied_serials(),
        )
    near = beside or st.container(key="over")
    beneath = st.container()

    def rest() -> None:
        opened = frozenset(now.opened)
        figure = Figure(
            graph=graph, heading=figure_heading_of(now, caption), opened=opened, marks=shown_marks
        )
        with beneath:
            with st.container(
                horizontal=True, vertical_alignment="center", wrap=False, gap="small"
            ):
                html(legend or f"<small>{HINT}</small>")
                downloads(figure, now.title)
            if not now.invalid_composition and (missing := parameters_without_box(now, graph)):
                st.caption(f"{missing:,} parameters are not in the graph: {UNUSED}.")
            graph_table(graph, opened)
        if node is not None:
            with near:
                node_panel(now, node)

    return rest
