"""The report on what to expect: published results nearby, how costs grow, and trade-offs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from studio import zoo
from studio.advice.choice_text import as_clause
from studio.analysis import units
from studio.analysis.cost.profiler import Profile, profile
from studio.analysis.cost.scaling import (
    MAX_RMS,
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
MIN_POINTS = 3  # points that make a curve


def expectations_section(found: Profile) -> Section:
    """What can be expected of the design of a profile."""
    blocks = (*_results(found), *_growth(found), *_trade_offs(found.design))
    return Section("5. Expected performance", blocks)


def _results(found: Profile) -> Iterator[Block]:
    """Published results of the family, those of the preset and its neighbours in size."""
    design, results = found.design, found.design.family.guide.results
    yield Paragraph(_honestly(design))
    if not results:
        return
    costs = {r.preset: profile(design.family.design(r.preset)) for r in results}
    near = sorted(_of_a_kind(results, design), key=lambda r: _far(costs[r.preset], found))
    rows = sorted(
        near[:MOST_RESULTS], key=lambda result: (costs[result.preset].params, result.metric)
    )
    yield Table(
        "Published results of the presets that are nearest in size",
        ("Preset", "Parameters", "MACs", "Measure", "Result", "Source"),
        tuple(_result(result, costs[result.preset]) for result in rows),
        words=frozenset({3, 5}),
    )


def _of_a_kind(results: tuple[Result, ...], design: Design) -> list[Result]:
    """Those in the measures that the preset nearest in its knobs was judged by, where it was."""
    own = {result.metric for result in results if result.preset == design.base.name}
    return [result for result in results if not own or result.metric in own]


def _far(cost: Profile, found: Profile) -> float:
    return abs(math.log(cost.params / found.params))


def _result(result: Result, cost: Profile) -> tuple[Text, ...]:
    value = f"{result.value:g} {result.unit}".strip()
    counts = units.count(cost.params), units.macs(cost.macs)
    return result.preset, *counts, result.metric, value, result.source


def _honestly(design: Design) -> str:
    """What is known of this design's own accuracy, and what is not."""
    results = {result.preset for result in design.family.guide.results}
    if preset := design.preset:
        if preset.name in results:
            return (
                f"The design is the unmodified preset {preset.name}. Its published results below"
                " hold for the data and the training recipe of their source, and for no other."
            )
        return (
            f"The design is the unmodified preset {preset.name}, of which no published result is"
            " listed here: its accuracy is unknown until it is trained."
        )
    nearest = f" The nearest published preset is {design.base.name}." if results else ""
    return (
        "This variant has no published result: its accuracy is unknown, and none is estimated"
        f" here.{nearest} Results of presets are landmarks: a design of similar cost and"
        " proportions, trained as well, may come close."
    )


def _growth(found: Profile) -> Iterator[Block]:
    """The cost law of the family, and how this design's costs grow along each axis."""
    design = found.design
    cost = parse_markup(design.family.guide.cost)
    yield Paragraph(("Cost of the family: ", *cost, "."))
    shown = list(axes(design).items())[:MOST_AXES]
    curves = {name: _curve(found, name) for name, _ in shown}
    known = {name: points for name, points in curves.items() if len(points) >= MIN_POINTS}
    if not known:
        return
    yield Table(
        "Growth of parameters and MACs along each axis around this design, all else fixed",
        ("Axis", "Knob", "Here", "Range drawn", "Parameters", "MACs"),
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
    """The power law that the points follow; where they follow none, the slope at the design."""
    power = exponent(xs, ys)
    slope = local_slope(xs, ys, here) if power is None else power
    if slope is None:
        return "not a power law"
    told = "constant" if abs(slope) < MAX_RMS else f"exponent {slope:.2f}".replace("-", "−")
    return f"{told} here" if power is None else told


def _chart(design: Design, knob: Knob, points: tuple[Profile, ...]) -> Iterator[Block]:
    """The figures that change along the axis; what stays as it is needs no picture."""
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
    """The name of the quantity on an axis: of a tuple its sum or its mean, as it is scaled."""
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
