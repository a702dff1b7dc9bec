"""Section 5 of the report: published results, growth of the cost, and trade-offs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from studio import zoo
from studio.advice.choice_text import as_clause
from studio.analysis import units
from studio.analysis.cost.profiler import Profile, profile
from studio.analysis.cost.scaling import (
    FLAT,
    affordable_points,
    axes,
    axis_points,
    exponent,
    local_slope,
    position,
)
from studio.drawing.render.chart import Plot, chart
from studio.family import Design, Result
from studio.knobs import Knob
from studio.reporting.document import Block, Drawing, Paragraph, Section, Table, Text, parse_markup

MOST_RESULTS = 8
MOST_AXES = 4
MIN_POINTS = 3  # points of a curve


def expectations_section(found: Profile) -> Section:
    """The section on the expected performance of a design."""
    blocks = (*_results(found), *_growth(found), *_trade_offs(found.design))
    return Section("5. Expected performance", blocks)


def _results(found: Profile) -> Iterator[Block]:
    """Published results of the presets nearest in size."""
    design, results = found.design, found.design.family.guide.results
    yield Paragraph(_accuracy(design))
    if not results:
        return
    costs = {r.preset: profile(design.family.design(r.preset)) for r in results}
    near = sorted(_comparable(results, design), key=lambda r: _distance(costs[r.preset], found))
    rows = sorted(
        near[:MOST_RESULTS], key=lambda result: (costs[result.preset].params, result.metric)
    )
    yield Table(
        "Published results of the presets that are nearest in size",
        ("Preset", "Parameters", "MACs", "Metric", "Result", "Source"),
        tuple(_result(result, costs[result.preset]) for result in rows),
        words=frozenset({3, 5}),
    )


def _comparable(results: tuple[Result, ...], design: Design) -> list[Result]:
    """The results in the metrics of the nearest preset, or all if it has none."""
    own = {result.metric for result in results if result.preset == design.base.name}
    return [result for result in results if not own or result.metric in own]


def _distance(cost: Profile, found: Profile) -> float:
    return abs(math.log(cost.params / found.params))


def _result(result: Result, cost: Profile) -> tuple[Text, ...]:
    value = f"{result.value:g} {result.unit}".strip()
    counts = units.count(cost.params), units.macs(cost.macs)
    return result.preset, *counts, result.metric, value, result.source


def _accuracy(design: Design) -> str:
    """What is known about the accuracy of this design."""
    results = {result.preset for result in design.family.guide.results}
    if preset := design.preset:
        if preset.name in results:
            return (
                f"The design is the unmodified preset {preset.name}. Its published results below"
                " hold only for the data and the training recipe of their source."
            )
        return (
            f"The design is the unmodified preset {preset.name}. No published result is listed for"
            " it: its accuracy is unknown until it is trained."
        )
    nearest = f" The nearest published preset is {design.base.name}." if results else ""
    return (
        "This variant has no published result: its accuracy is unknown and is not estimated"
        f" here.{nearest} A design of similar cost and proportions may reach a similar accuracy"
        " with the same training."
    )


def _growth(found: Profile) -> Iterator[Block]:
    """The cost law of the family, and how the cost of this design grows along each axis."""
    design = found.design
    cost = parse_markup(design.family.guide.cost)
    yield Paragraph(("Cost law of the family: ", *cost, "."))
    shown = list(axes(design).items())[:MOST_AXES]
    curves = {name: _curve(found, name) for name, _ in shown}
    known = {name: points for name, points in curves.items() if len(points) >= MIN_POINTS}
    if not known:
        return
    yield Table(
        "Growth of parameters and MACs along each axis, all other knobs fixed",
        ("Axis", "Knob", "This design", "Range", "Parameters", "MACs"),
        tuple(_law(design, name, knob, known[name]) for name, knob in shown if name in known),
        words=frozenset({1}),
    )
    for name, knob in shown:
        if name in known:
            yield from _chart(design, knob, known[name])


def _curve(found: Profile, axis: str) -> tuple[Profile, ...]:
    count = affordable_points(found.root)
    return tuple(profile(d, found.batch) for d in axis_points(found.design, axis, count))


def _law(design: Design, axis: str, knob: Knob, points: tuple[Profile, ...]) -> tuple[Text, ...]:
    xs = [position(knob, point.design.value(knob.name)) for point in points]
    here = position(knob, design.value(knob.name))
    laws = (_power(xs, [getattr(p, what) for p in points], here) for what in ("params", "macs"))
    return axis, axis_label(knob), f"{here:g}", f"{xs[0]:g} to {xs[-1]:g}", *laws


def _power(xs: list[float], ys: list[int], here: float) -> str:
    """The exponent if the points follow a power law, else the local exponent at the design."""
    power = exponent(xs, ys)
    slope = local_slope(xs, ys, here) if power is None else power
    if slope is None:
        return "not a power law"
    text = "constant" if abs(slope) < FLAT else f"exponent {slope:.2f}".replace("-", "−")
    return f"{text} here" if power is None else text


def _chart(design: Design, knob: Knob, points: tuple[Profile, ...]) -> Iterator[Block]:
    """A chart of the costs that change along the axis."""
    xs = tuple(position(knob, point.design.value(knob.name)) for point in points)
    here = position(knob, design.value(knob.name))
    plot = partial(Plot, axis=axis_label(knob), xs=xs, here=here)
    params, macs = (tuple(map(float, ys)) for ys in zip(*map(_pair, points), strict=True))
    drawn = {
        "Parameters": plot(title="Parameters", ys=params, write=units.count),
        "MACs": plot(title=f"MACs at batch {points[0].batch}", ys=macs, write=units.macs),
    }
    moving = {n: p for n, p in drawn.items() if len(set(p.ys)) > 1 and min(p.ys) > 0}
    if moving:
        ends = "; ".join(
            f"{name} {plot.write(plot.ys[0])} at {xs[0]:g}, {plot.write(plot.ys[-1])} at {xs[-1]:g}"
            for name, plot in moving.items()
        )
        words = f"{' and '.join(moving)} along {axis_label(knob)}, this design in orange. {ends}."
        yield Drawing(chart(tuple(moving.values())), words)


def _pair(point: Profile) -> tuple[int, int]:
    return point.params, point.macs


def axis_label(knob: Knob) -> str:
    """The name of the quantity on an axis; for a tuple its sum or mean, as it is scaled."""
    if not isinstance(knob.default, tuple):
        return knob.name
    return f"{'sum' if knob.axis == 'depth' else 'mean'} of {knob.name}"


def _trade_offs(design: Design) -> Iterator[Block]:
    family, known = design.family, zoo.families()
    guide = family.guide
    beside = [known[key].title for key in guide.related if key in known]
    also = f" Compare it with {', '.join(beside)}." if beside else ""
    yield Paragraph(
        (
            f"Use {family.title} when ",
            *parse_markup(as_clause(guide.use_when)),
            "; avoid it when ",
            *parse_markup(as_clause(guide.avoid_when)),
            f".{also}",
        )
    )
