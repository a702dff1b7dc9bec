"""The trade-off map: what was published for the task against what it costs, and what the choices
cost. They have no accuracy: nobody has trained them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import streamlit as st

from studio import zoo
from studio.advice.choice import Choice
from studio.advice.tradeoff import Published, metrics
from studio.analysis import units
from studio.app.architect import map_of
from studio.app.charts import HERE
from studio.app.commission import Commission
from studio.app.comparison import COLOURS
from studio.app.waiting import is_there
from studio.family import Task

HEIGHT = 380
FEW = 4  # results of one family whose names are written beside the dots
Write = Callable[[float], str]
COSTS = {"Parameters": ("params", units.count), "MACs": ("macs", units.macs)}
HONEST = (
    "Dots: published results, each trained by its authors in their own way. Lines: what the choices"
    " below cost; what they will reach is not known until they are trained. Networks of the same"
    " kind and cost are a guess at it, no more."
)


def tradeoff(wish: Commission, choices: Sequence[Choice]) -> None:
    """Closed at first: the choices are what was asked for."""
    place = st.expander("What was published for this task, and at what cost", key="tradeoff")
    with place:
        found = map_of(wish.task)
        if not is_there(found, "Counting the networks with published results …"):
            return
        if error := found.exception():
            st.caption(f":orange[The published networks could not be counted: {error}.]")
        else:
            st.fragment(_map)(wish.task, found.result(), tuple(choices))


def _map(task: Task, found: tuple[Published, ...], choices: tuple[Choice, ...]) -> None:
    if not found:
        st.caption("The families for this task cite no published results.")
        return
    known = metrics(found)
    left, right = st.columns([3, 2])
    metric = left.selectbox("Metric", known, key=f"metric.{task}", label_visibility="collapsed")
    cost = right.segmented_control(
        "Cost", list(COSTS), default="Parameters", key="cost", label_visibility="collapsed"
    )
    of_metric = [one for one in found if one.result.metric == metric]
    drawn = scatter(of_metric, choices, cost or "Parameters")
    st.plotly_chart(drawn, key="tradeoff.chart", config={"displayModeBar": False})
    st.caption(HONEST)


def scatter(found: Sequence[Published], choices: Sequence[Choice], cost: str) -> dict[str, Any]:
    """The published results of one metric over the cost, and a line at the cost of each choice."""
    name, write = COSTS[cost]
    families = list(dict.fromkeys(one.family for one in found))
    traces = [
        _dots([one for one in found if one.family == family], family, name, write, colour)
        for family, colour in zip(families, cycle(COLOURS), strict=False)
    ]
    first = found[0].result
    layout = {
        "height": HEIGHT,
        "margin": {"l": 4, "r": 12, "t": 8, "b": 4},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "showlegend": len(families) > 1,
        "xaxis": {
            "type": "log",
            "dtick": 1,
            "tickformat": "~s",
            "title": {"text": cost},
            "fixedrange": True,
        },
        "yaxis": {
            "title": {"text": f"{first.metric}, {first.unit}".rstrip(", ")},
            "automargin": True,
            "fixedrange": True,
        },
        "shapes": [_line(_cost(choice, name), i == 0) for i, choice in enumerate(choices)],
    }
    return {"data": traces, "layout": layout}


def _dots(
    found: Sequence[Published], family: str, cost: str, write: Write, colour: str
) -> dict[str, Any]:
    """The results of one family; where there are few, each with its name."""
    return {
        "type": "scatter",
        "name": zoo.family(family).title,
        "mode": "markers+text" if len(found) <= FEW else "markers",
        "x": [getattr(one, cost) for one in found],
        "y": [one.result.value for one in found],
        "text": [one.result.preset for one in found],
        "textposition": "top center",
        "textfont": {"size": 10},
        "marker": {"size": 8, "color": colour},
        "customdata": [
            [
                one.result.source,
                f"{one.result.value:g} {one.result.unit}",
                write(getattr(one, cost)),
            ]
            for one in found
        ],
        "hovertemplate": "<b>%{text}</b><br>%{customdata[1]} · %{customdata[2]}"
        "<br>%{customdata[0]}<extra></extra>",
        "cliponaxis": False,
    }


def _cost(choice: Choice, name: str) -> int:
    found = choice.profile
    return found.params if name == "params" else found.macs // found.batch


def _line(x: int, first: bool) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": HERE, "width": 2 if first else 1, "dash": "solid" if first else "dot"},
    }
