"""The scaling charts: small log-log panels in one figure, as a plotly specification."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from plotly.basedatatypes import BaseFigure

from studio.analysis.cost.scaling import FLAT, exponent
from studio.drawing.render.chart import compact, ticks
from studio.drawing.text_metrics import text_width
from studio.process.caching import bounded

LINE = 17  # pixels of a line of a title
FONT, GAP = 12, 8  # pixels: of the labels of the axes, and beside them
BELOW = 44  # pixels, for the labels and the title of an x axis
HERE = "#e8590c"  # the design on the page; like the others, clear on the light and the dark theme
EXACT, PALE, MEASURED = "#4a7fc1", "#7d93b2", "#2f9d80"


Kind = Literal["exact", "predicted", "predicted-latency", "measured"]


@dataclass(frozen=True)
class Curve:
    """Values along an axis: a line; for measurements, markers with error bars; for predictions, a
    dashed line within its band. `bars` says what the ends of the error bars are.

    `steady`: CPU times, to which a law is fitted if a busy machine stretched the drawn times.
    `separate`: the x of points from another sweep, drawn hollow and excluded from the fit.
    `loaded`: the x of points measured on a busy machine, drawn hollow too.
    """

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    colour: str = EXACT
    kind: Kind = "exact"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    separate: frozenset[float] = frozenset()
    loaded: frozenset[float] = frozenset()
    steady: tuple[float, ...] = ()
    bars: str = "IQR"

    @property
    def measured(self) -> bool:
        return self.kind == "measured"

    @property
    def together(self) -> list[tuple[float, float]]:
        """The points that a law is fitted to; at least three, since any law fits two."""
        ys = self.steady or self.ys
        points = [(x, y) for x, y in zip(self.xs, ys, strict=True) if x not in self.separate]
        return points if len(points) > 2 and self.kind != "predicted-latency" else []

    @property
    def power(self) -> float | None:
        """The exponent of the power law that the values follow; None if they follow none."""
        return exponent([x for x, _ in self.together], [y for _, y in self.together])


class Unit(NamedTuple):
    """The variable of the power laws, and the power of the x axis with which it grows."""

    word: str
    power: float = 1.0


@dataclass(frozen=True)
class Panel:
    """One quantity: its curves and how to write its values. `law` replaces the text of the power
    law, `few` is shown if there are too few points for one, and `empty` if there are none."""

    title: str
    write: Callable[[float], str]
    curves: tuple[Curve, ...]
    law: str = ""
    few: str = ""
    empty: str = ""

    @property
    def figures(self) -> list[float]:
        return [y for curve in self.curves for y in (*curve.ys, *curve.low, *curve.high)]


class Chart(BaseFigure):  # type: ignore[misc]
    """A specification that plotly takes as it is. A figure of its own checks it, in 20 ms, and is
    copied each time that it is drawn, in 5 ms."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self._specification = specification

    def to_dict(self) -> dict[str, Any]:
        return self._specification


@bounded(megabytes=16)
def chart(
    panels: tuple[Panel, ...], axis: str, here: float, height: int, unit: Unit | None = None
) -> Chart:
    """The figure as an object of plotly's; do not modify it. A page that polls a measurement mostly
    draws the same figure again."""
    return Chart(figure(panels, axis, here, height, unit))


def figure(
    panels: Sequence[Panel], axis: str, here: float, height: int, unit: Unit | None = None
) -> dict[str, Any]:
    """Two panels per row (a single last one is as wide as both), with the design on the page marked
    in each, and the exponents in the titles."""
    unit = unit or Unit(axis)
    heads = [_heading(panel, unit) for panel in panels]
    lines = 1 + max(head.count("<br>") for head in heads[:2])  # above the first row
    layout: dict[str, Any] = {
        "height": height,
        "margin": _margins(panels, lines),
        "showlegend": False,
        "hovermode": "closest",
        "annotations": [],
    }
    traces: list[dict[str, Any]] = []
    xs = tuple(sorted({x for curve in panels[0].curves for x in curve.xs}))
    for number, panel in enumerate(panels):
        across, down = _place(number, len(panels))
        title = axis if number // 2 == (len(panels) - 1) // 2 else ""  # under the last row
        layout |= _axes(number, panel, xs, title, here, across, down)
        beside = heads[number ^ 1] if number ^ 1 < len(heads) else ""
        layout["annotations"] += _annotations(
            panel, _pad_lines(heads[number], beside), across, down
        )
        for trace in _traces(panel, axis, here):
            traces.append(trace | {"xaxis": f"x{number + 1}", "yaxis": f"y{number + 1}"})
    return {"data": traces, "layout": layout}


def _margins(panels: Sequence[Panel], lines: int) -> dict[str, float]:
    """Room for the labels of the axes, of which plotly's own estimate draws everything twice."""
    left, right = (
        max((text_width(text, FONT) for panel in side for text in _y_labels(panel)[1]), default=0.0)
        for side in (panels[::2], panels[1::2])
    )
    return {"l": left + GAP, "r": right + GAP, "t": 10 + LINE * lines, "b": BELOW}


def _y_labels(panel: Panel) -> tuple[list[float], list[str]]:
    """The marked values of the y axis, and their texts."""
    values = ticks(*_axis_range(panel), most=6) if panel.figures else []
    return values, [compact(panel.write(value)) for value in values]


def _place(number: int, count: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """The position of a panel, as fractions of the width and the height."""
    row, column = divmod(number, 2)
    rows = (count + 1) // 2
    between = 0.42 / rows  # titles and laws take as many pixels of a figure of more rows
    height = (1 - between * (rows - 1)) / rows
    top = 1 - row * (height + between)
    is_alone = number == count - 1 and not column
    across = (0.0, 1.0) if is_alone else ((0.0, 0.47), (0.53, 1.0))[column]
    return across, (max(top - height, 0.0), top)


def _axes(
    number: int,
    panel: Panel,
    xs: tuple[float, ...],
    axis: str,
    here: float,
    across: tuple[float, float],
    down: tuple[float, float],
) -> dict[str, Any]:
    low, high = _axis_range(panel)
    values, texts = _y_labels(panel)
    labelled = _spaced_labels(xs, here)
    shared = {"type": "log", "automargin": False, "zeroline": False, "fixedrange": True}
    x = {
        "domain": across,
        "anchor": f"y{number + 1}",
        "range": [math.log10(xs[0] / 1.12), math.log10(xs[-1] * 1.12)],
        "tickvals": list(xs),
        "ticktext": [f"{round(x, 2):g}" if x in labelled else "" for x in xs],
        "tickangle": 0,
    }
    if axis:
        x["title"] = {"text": axis, "standoff": 2}
    y = {
        "side": "right" if number % 2 else "left",  # outwards: labels of any width have room there
        "domain": down,
        "anchor": f"x{number + 1}",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": values,
        "ticktext": texts,
    }
    return {f"xaxis{number + 1}": shared | x, f"yaxis{number + 1}": shared | y}


def _spaced_labels(xs: tuple[float, ...], here: float) -> list[float]:
    """The values whose labels do not overlap; that of the design here always has one."""
    labelled = [x for x in xs if x == here]
    for x in xs:
        if all(abs(math.log(x / other)) > math.log(1.2) for other in labelled):
            labelled.append(x)
    return labelled


def _axis_range(panel: Panel) -> tuple[float, float]:
    """The range of the panel's y axis: its values with a margin, at least a factor of two, so that
    a constant looks constant."""
    ys = panel.figures or [1.0]
    low, high = min(ys) / 1.2, max(ys) * 1.2
    spare = max(1.0, math.sqrt(2 * low / high))
    return low / spare, high * spare


def _heading(panel: Panel, unit: Unit) -> str:
    """The title, and below it the laws, one per line, since a panel may be narrow."""
    laws = panel.law or "<br>".join(filter(None, (_law(c, panel, unit) for c in panel.curves)))
    lawless = "not a power law" if any(curve.together for curve in panel.curves) else panel.few
    return f"<b>{panel.title}</b><br>{laws or (lawless if panel.figures else '') or ' '}"


def _pad_lines(head: str, beside: str) -> str:
    """Padded to as many lines as the heading beside it, so that the titles align."""
    return head + "<br> " * max(0, beside.count("<br>") - head.count("<br>"))


def _annotations(
    panel: Panel, head: str, across: tuple[float, float], down: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    """The title with the laws; in an empty panel also the text that says what is missing."""
    place = {"xref": "paper", "yref": "paper", "showarrow": False}
    if not panel.figures:
        middle = {"x": statistics.fmean(across), "y": statistics.fmean(down)}
        yield (
            place
            | middle
            | {
                "text": panel.empty,
                "xanchor": "center",
                "yanchor": "middle",
                "font": {"size": 13},
            }
        )
    yield place | {
        "text": head,
        "x": across[0],
        "y": down[1],
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 2,
        "align": "left",
        "font": {"size": 13.5},
    }


def _law(curve: Curve, panel: Panel, unit: Unit) -> str:
    """`∝ depth^0.98`, or beside another curve `training ∝ depth^0.98`; empty without a law."""
    power, alone = curve.power, len(panel.curves) == 1
    if power is None:
        return ""
    raised = f"<sup><b>{power / unit.power:.2f}</b></sup>".replace("-", "−")
    law = f"∝ {unit.word}{raised}" if alone else f"{curve.name} ∝ {unit.word}{raised}"
    if abs(power) < FLAT:
        law = "constant" if alone else f"{curve.name} constant"
    return f'<span style="color:{curve.colour}">{law}</span>'


def _traces(panel: Panel, axis: str, here: float) -> Iterator[dict[str, Any]]:
    for curve in panel.curves:
        if curve.kind == "predicted-latency":
            yield from _predicted_traces(curve, panel, axis)
            continue
        sizes = [11 if x == here else 7 if curve.measured else 4 for x in curve.xs]
        colours = [HERE if x == here else curve.colour for x in curve.xs]
        kinds = [_kind(curve, x) for x in curve.xs]
        hollow = curve.separate | curve.loaded
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers" if curve.measured else "lines+markers",
            "x": list(curve.xs),
            "y": list(curve.ys),
            "line": {"color": curve.colour, "width": 2},
            "marker": {
                "size": sizes,
                "color": colours,
                "opacity": 1,
                "symbol": ["circle-open" if x in hollow else "circle" for x in curve.xs],
                "line": {"width": 2 if hollow else 0},
            },
            "text": [panel.write(y) for y in curve.ys],
            "customdata": kinds,
            "hovertemplate": f"{axis} = %{{x}}<br>{curve.name} %{{text}} (%{{customdata}})"
            "<extra></extra>",
        }
        if curve.measured:
            trace["text"] = [
                f"{panel.write(y)}, {curve.bars} {panel.write(low)}–{panel.write(high)}"
                for y, low, high in zip(curve.ys, curve.low, curve.high, strict=True)
            ]
            trace["error_y"] = _error_bars(curve)
        yield trace


def _kind(curve: Curve, x: float) -> str:
    separately = " separately" if x in curve.separate else ""
    return f"{curve.kind}{separately}{' under load' if x in curve.loaded else ''}"


def _predicted_traces(curve: Curve, panel: Panel, axis: str) -> Iterator[dict[str, Any]]:
    """The band as a closed outline, and the dashed line in it."""
    shared = {"type": "scatter", "mode": "lines", "hoverinfo": "skip"}
    if curve.low:
        yield shared | {
            "x": [*curve.xs, *reversed(curve.xs)],
            "y": [*curve.high, *reversed(curve.low)],
            "fill": "toself",
            "fillcolor": curve.colour,
            "opacity": 0.18,
            "line": {"width": 0},
        }
    yield shared | {
        "x": list(curve.xs),
        "y": list(curve.ys),
        "line": {"color": curve.colour, "width": 1.5, "dash": "dash"},
        "hoverinfo": "text",
        "hovertext": [
            f"{axis} = {x:g}<br>{panel.write(y)} {curve.name}"
            for x, y in zip(curve.xs, curve.ys, strict=True)
        ],
    }


def _error_bars(curve: Curve) -> dict[str, Any]:
    """From the low end of each spread to the high one."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - y for y, high in zip(curve.ys, curve.high, strict=True)],
        "arrayminus": [y - low for y, low in zip(curve.ys, curve.low, strict=True)],
        "color": curve.colour,
        "thickness": 1.5,
        "width": 3,
    }
