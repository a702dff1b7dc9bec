"""The trade-off chart: published results of the task over their cost, and the cost of the choices
and of the design on the page, which have no accuracy since they are untrained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, cycle, repeat
from typing import Any, NamedTuple

import streamlit as st

from studio import zoo
from studio.advice.published import PublishedResult, metrics
from studio.advice.recommend import Choice
from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.app import session
from studio.app.charts.compare_table import COLOURS, workload_label
from studio.app.charts.scaling_chart import HERE
from studio.app.pending import result
from studio.tasks import Task
from studio.workbench import results
from studio.workbench.page.requirements_form import RequirementsForm
from studio.workbench.workload import Workload

HEIGHT = 380
HUES = tuple(colour for colour in COLOURS if colour != "#d55e00")  # too like the lines'
FEW = 4  # results of one family whose names are written beside the dots
Write = Callable[[float], str]
COSTS = {"Parameters": ("params", units.count), "MACs": ("macs", units.macs)}
LEGEND = (
    "Dots: published results, each with its authors' own training recipe. Lines: the cost of the"
    " choices below (the first one solid) and of the design on the Explore page (dashed); hover"
    " over a diamond for its name. Their accuracy is unknown until they are trained: published"
    " networks of the same kind, cost and input size are only a rough guide."
)


def tradeoff_chart(form: RequirementsForm, choices: Sequence[Choice], here: Workload) -> None:
    """Collapsed at first: the choices come first."""
    place = st.expander("What was published for this task, and at what cost", key="tradeoff")
    with place:
        found = result(
            lambda: session.bench().published(form.task),
            "Counting the networks with published results …",
            "The published networks could not be counted",
        )
        if found is not None:
            st.fragment(_map)(form.task, found, _landmarks(form.task, choices, here))


class Landmark(NamedTuple):
    """A design whose cost is drawn as a line."""

    title: str
    cost: Profile
    dash: str


def _landmarks(task: Task, choices: Sequence[Choice], here: Workload) -> tuple[Landmark, ...]:
    """The choices, and the design on the page if its family performs the task."""
    dashes = chain(["solid"], repeat("dot"))
    lines = [Landmark(c.title, c.profile, d) for c, d in zip(choices, dashes, strict=False)]
    if task in here.design.family.guide.tasks and here.design not in [c.design for c in choices]:
        lines.append(
            Landmark(f"on the page: {workload_label(here)}", results.profile_of(here), "dash")
        )
    return tuple(lines)


def _map(task: Task, found: tuple[PublishedResult, ...], lines: tuple[Landmark, ...]) -> None:
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
    drawn = scatter(of_metric, lines, cost or "Parameters")
    st.plotly_chart(drawn, key="tradeoff.chart", config={"displayModeBar": False})
    st.caption(LEGEND)


def scatter(
    found: Sequence[PublishedResult], lines: Sequence[Landmark], cost: str
) -> dict[str, Any]:
    """The published results of one metric over the cost, and a line at the cost of each landmark
    with a labelled mark at its foot."""
    name, write = COSTS[cost]
    families = list(dict.fromkeys(one.family for one in found))
    traces = [
        _dots([one for one in found if one.family == family], family, name, write, colour)
        for family, colour in zip(families, cycle(HUES), strict=False)
    ]
    first, lowest = found[0].result, min(one.result.value for one in found)
    traces.append(_feet(lines, name, write, lowest))
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
        "shapes": [_line(line, name) for line in lines],
    }
    return {"data": traces, "layout": layout}


def _dots(
    found: Sequence[PublishedResult], family: str, cost: str, write: Write, colour: str
) -> dict[str, Any]:
    """The results of one family, each with its name if there are few."""
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


def _cost(line: Landmark, name: str) -> int:
    return line.cost.params if name == "params" else line.cost.macs // line.cost.batch


def _line(line: Landmark, name: str) -> dict[str, Any]:
    x = _cost(line, name)
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": HERE, "width": 1 if line.dash == "dot" else 2, "dash": line.dash},
    }


def _feet(lines: Sequence[Landmark], name: str, write: Write, y: float) -> dict[str, Any]:
    """A mark on each line, labelled with the name of its design."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_cost(line, name) for line in lines],
        "y": [y] * len(lines),
        "text": [line.title for line in lines],
        "customdata": [write(_cost(line, name)) for line in lines],
        "marker": {"size": 9, "color": HERE, "symbol": "diamond-open"},
        "hovertemplate": "<b>%{text}</b><br>%{customdata}<br>not trained<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
    }
