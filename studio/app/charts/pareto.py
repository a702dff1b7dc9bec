"""Sizes of one family, parameters over MACs; a click opens one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from studio.advice.requirements import Brief
from studio.analysis import units
from studio.app import session
from studio.app.charts.scaling_chart import EXACT, HERE, PALE
from studio.app.controls.navigation import open_design
from studio.app.pending import result
from studio.family import Design
from studio.workbench.jobs.recommendations import Size

HEIGHT = 340
LEGEND = (
    "Each dot is a size of this family, counted exactly. Blue: within the budget and on the Pareto"
    " front (no other has as many parameters for fewer MACs). Pale: within the budget. Hollow: over"
    " budget. Click a dot to open the design."
)


def size_chart(brief: Brief, design: Design) -> None:
    drawn = result(
        lambda: session.bench().sizes(design, brief, session.name()),
        "Counting the sizes around this one …",
        "The sizes could not be counted",
    )
    if drawn is None:
        return
    st.plotly_chart(
        scatter(drawn, design),
        key="sizes.chart",
        on_select=lambda: _open(drawn),
        selection_mode="points",
        config={"displayModeBar": False},
    )
    st.caption(LEGEND)


def _open(drawn: Sequence[Size]) -> None:
    points = session.value("sizes.chart").selection.points
    if points:
        chosen = drawn[points[0]["customdata"][0]]
        session.commit(open_design(session.current(), chosen.design))


def scatter(drawn: Sequence[Size], here: Design) -> dict[str, Any]:
    """Parameters over compute, with the design in the middle of the grid marked."""
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [size.macs for size in drawn],
        "y": [size.params for size in drawn],
        "marker": {
            "size": [13 if s.design == here else 9 if s.best else 6 for s in drawn],
            "color": [HERE if s.design == here else EXACT if s.best else PALE for s in drawn],
            "symbol": ["circle" if s.fits else "circle-open" for s in drawn],
            "opacity": 1,
        },
        "customdata": [[i] for i in range(len(drawn))],
        "text": [hover_text(size) for size in drawn],
        "hovertemplate": "%{text}<extra></extra>",
    }
    shared = {"type": "log", "dtick": 1, "tickformat": "~s", "automargin": True, "fixedrange": True}
    layout = {
        "height": HEIGHT,
        "margin": {"l": 4, "r": 12, "t": 8, "b": 4},
        "showlegend": False,
        "hovermode": "closest",
        "clickmode": "event+select",
        "dragmode": False,
        "xaxis": shared | {"title": {"text": "MACs"}},
        "yaxis": shared | {"title": {"text": "Parameters"}},
    }
    return {"data": [trace], "layout": layout}


def hover_text(size: Size) -> str:
    return (
        f"<b>{size.design.title_for(size.design.base)}</b><br>{units.count(size.params)} parameters"
        f" · {units.macs(size.macs)}<br>{units.size(size.inference_bytes)} for inference"
    )
