"""Colours of the layer graph: by kind, by a cost, or by the difference from the pinned design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from types import MappingProxyType

import streamlit as st

from studio.advice.choice_text import as_clause
from studio.analysis.graph.cost_heatmap import (
    METRICS,
    NO_SECONDS,
    TIME,
    HeatScale,
    Metric,
    heat_map,
    node_seconds,
    share_bars,
)
from studio.analysis.graph.design_diff import GraphDiff, graph_diff
from studio.app import session
from studio.app.charts.compare_table import workload_label
from studio.app.diagram.layer_timing import layer_times
from studio.app.markup import plain
from studio.drawing.decoration import CHANGE_HUES, CHANGE_SIGNS, HEAT_SCALE, Mark, heat_colours
from studio.drawing.graph import Graph
from studio.process.caching import bounded
from studio.workbench import results
from studio.workbench.page.colour_mode import HEAT, KIND, ColourMode
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

TICKS = (0.0, 0.5, 1.0)
NO_TIMES = "No layer times yet: press <i>Benchmark layers</i> on the Layers tab."
STYLE = """<style>
.st-key-colour-controls { gap: .3rem 1rem; }
.legend { font-size: .8rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
.legend .scale { display: grid; grid-template-columns: auto minmax(5rem, 22rem); gap: 0 .6rem;
  align-items: center; }
.legend .steps { display: flex; }
.legend .steps i { flex: 1; height: .7rem; border: solid transparent; border-width: 0; }
.legend .steps i:first-child { border-radius: .2rem 0 0 .2rem; }
.legend .steps i:last-child { border-radius: 0 .2rem .2rem 0; }
.legend .ticks { grid-column: 2; display: flex; justify-content: space-between; opacity: .85; }
.legend b { font-weight: 600; }
.legend .more { color: light-dark(#0067a3, #6fc0f0); }
.legend .less { color: light-dark(#b5480a, #f2a065); }
.legend .modified { color: light-dark(#8c3d72, #dd9cc6); }
.legend span { white-space: nowrap; margin-right: .7rem; }
</style>"""


@dataclass(frozen=True)
class ColouredGraph:
    """The graph, the marks of its nodes, the legend as HTML, and the caption of downloads."""

    graph: Graph
    marks: Mapping[str, Mark]
    legend: str = ""
    caption: str = ""


def colour_controls(now: State) -> None:
    """A select box for the colours, and a toggle for the difference if a design is pinned."""
    # One line on any screen, so that the graph does not move.
    with st.container(
        horizontal=True, vertical_alignment="center", wrap=False, key="colour-controls"
    ):
        st.selectbox(
            "Colour by",
            HEAT.options,
            **session.widget(
                "heat", now.colour_mode.heat, index=HEAT.options.index(now.colour_mode.heat)
            ),
            format_func=_option,
            label_visibility="collapsed",
            width="stretch",
            on_change=_set_colour_mode,
            args=("heat",),
        )
        if now.pinned:
            name = plain(workload_label(now.pinned))
            st.toggle(
                "Difference",
                **session.widget(
                    "difference", now.colour_mode.difference, value=now.colour_mode.difference
                ),
                help=f"What grew, shrank, was added or removed against the pinned {name}",
                on_change=_set_colour_mode,
                args=("difference",),
            )


def _option(name: str) -> str:
    title = METRICS[name].title if name in METRICS else "Kind of layer"
    return f"Colour by {as_clause(title)}"


def _set_colour_mode(name: str) -> None:
    if session.user_changed(name):
        now = session.current()
        session.commit(
            replace(now, colour_mode=replace(now.colour_mode, **{name: session.value(name)}))
        )


def compared_workload(now: State) -> Workload | None:
    """The pinned workload if the graph shows the difference from it."""
    return now.pinned if now.colour_mode.difference else None


def coloured_graph(now: State) -> ColouredGraph:
    """The graph as the page's colour mode shows it."""
    graph, quantity = results.graph(now.workload), now.colour_mode.compared_metric
    plain = ColouredGraph(graph, share_bars(graph))
    pinned = compared_workload(now)
    if pinned and pinned.design.family is not now.design.family:
        return replace(plain, legend=_legend(_unaligned_text(pinned, now.workload)))
    if now.colour_mode.heat == KIND and not pinned:
        return plain
    if quantity is TIME and not all(map(layer_times, filter(None, (pinned, now.workload)))):
        return replace(plain, legend=_legend(_untimed_text(pinned, now.workload)))
    if pinned:
        found = workload_diff(pinned, now.workload, now.colour_mode)
        legend = _legend(_diff_legend(found, pinned, quantity))
        caption = f"{as_clause(quantity.title)} against {workload_label(pinned)}"
        return ColouredGraph(found.graph, found.marks, legend, caption)
    hot = heat_map(graph, quantity, now.opened, measured_seconds(now.workload, quantity))
    top = quantity.write(hot.scale.top)
    caption = f"coloured by {as_clause(quantity.title)}, from 0 (pale) to {top} (dark)"
    return ColouredGraph(hot.graph, hot.marks, _legend(_heat_legend(hot.scale)), caption)


def heat_scale(now: State) -> HeatScale | None:
    """The scale that colours the graph, for other elements in the same colours; None if kinds or
    changes colour it."""
    quantity = now.colour_mode.metric
    if (
        quantity is None
        or compared_workload(now)
        or (quantity is TIME and not layer_times(now.workload))
    ):
        return None
    graph = results.graph(now.workload)
    return heat_map(graph, quantity, now.opened, measured_seconds(now.workload, quantity)).scale


def workload_diff(before: Workload, now: Workload, mode: ColourMode) -> GraphDiff:
    """The difference of two workloads of one family."""
    if mode.compared_metric is TIME:
        both = (measured_seconds(before, TIME), measured_seconds(now, TIME))
        return graph_diff(results.graph(before), results.graph(now), TIME, both)
    return _workload_diff(before, now, mode.heat)


@bounded(megabytes=32, size=lambda found: results.graph_bytes(found.graph))
def _workload_diff(before: Workload, now: Workload, heat: str) -> GraphDiff:
    return graph_diff(results.graph(before), results.graph(now), ColourMode(heat).compared_metric)


def measured_seconds(workload: Workload, quantity: Metric) -> Mapping[str, float]:
    """The measured times of the boxes, if the quantity is the time."""
    if quantity is not TIME:
        return NO_SECONDS
    times = {path: time.total_s for path, time in layer_times(workload).items()}
    return MappingProxyType(node_seconds(results.graph_with_uses(workload)[1], times))


def _legend(inside: str) -> str:
    return f'{STYLE}<div class="legend">{inside}</div>'


def _heat_legend(found: HeatScale) -> str:
    """The scale with the values at its start, middle and end."""
    steps = (i / (len(HEAT_SCALE) - 1) for i in range(len(HEAT_SCALE)))
    pairs = ((heat_colours(heat)[0], heat_colours(heat, dark=True)[0]) for heat in steps)
    swatches = "".join(f'<i style="background:light-dark({a},{b})"></i>' for a, b in pairs)
    ticks = "".join(f"<div>{found.metric.write(found.value(heat))}</div>" for heat in TICKS)
    return (
        f'<div class="scale"><b>{escape(found.metric.title)}</b>'
        f'<div class="steps">{swatches}</div><div class="ticks">{ticks}</div></div>'
    )


def _diff_legend(found: GraphDiff, pinned: Workload, quantity: Metric) -> str:
    name = escape(workload_label(pinned))
    if found.is_empty:
        return f"No difference from the pinned <b>{name}</b>."
    kinds = {mark.change for mark in found.marks.values()}
    signs = "".join(
        f'<span><b class="{CHANGE_HUES[kind]}">{sign}</b> {kind}</span>'
        for kind, sign in CHANGE_SIGNS.items()
        if kind in kinds
    )
    what = escape(quantity.title)
    return f"<div>{signs}</div>{what} vs pinned <b>{name}</b>. In repeated blocks: of one repeat."


def _unaligned_text(pinned: Workload, now: Workload) -> str:
    """Why two designs cannot be compared layer by layer."""
    families = (escape(workload.design.family.title) for workload in (pinned, now))
    return "The layers of {} and {} cannot be aligned; the Layers tab lists both.".format(*families)


def _untimed_text(pinned: Workload | None, now: Workload) -> str:
    if pinned and layer_times(now):
        name = escape(workload_label(pinned))
        return f"<b>{name}</b> has no layer times yet: open it and benchmark its layers."
    return NO_TIMES
