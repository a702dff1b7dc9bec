"""How figures grow along an axis: neighbours of a design, and the exponent of a power law."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, get_args

from studio.family import Design, DesignError, Family
from studio.knobs import Axis, Knob

FACTORS = (1 / 4, 3 / 8, 1 / 2, 3 / 4, 3 / 2, 2, 3, 4)
NEAR = 64  # how far to look for a legal value beside a round one


def axes(family: Family) -> Mapping[Axis, Knob]:
    """The axes that a family can be scaled along, each with its first knob: the one that is swept.

    Width is a matter of `embed_dim` first and of `mlp_ratio` second: one knob a curve.
    """
    knobs = [k for k in family.knobs.values() if not k.options and k.axis is not None]
    firsts = {k.axis: k for k in reversed(knobs)}
    return {axis: firsts[axis] for axis in get_args(Axis) if axis in firsts}


def position(knob: Knob, value: Any) -> float:
    """Where a value lies on its axis: a tuple of depths at their sum, one of widths at the mean."""
    if not isinstance(value, tuple):
        return float(value)
    return float(sum(value)) if knob.axis == "depth" else statistics.fmean(value)


def axis_points(design: Design, axis: Axis, count: int = 7) -> tuple[Design, ...]:
    """The design and its legal neighbours along an axis, at most `count`, in rising order.

    Only the axis' first knob moves. Its values are the round ones of the field (2^k and 3·2^k), so
    that designs that differ in this knob alone share their points. Raises KeyError for an axis that
    the family does not have.
    """
    knob = axes(design.family)[axis]
    here = position(knob, design.settings[knob.name])
    places = {here: design}
    for value in _round_values(design, knob):
        if legal := _nearest(design, knob, value):
            places.setdefault(position(knob, legal.settings[knob.name]), legal)
    nearest = sorted(places, key=lambda x: abs(math.log(x / here)))[:count]
    return tuple(places[x] for x in sorted(nearest))


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """The p of the power law y = c·x^p that fits best on log-log axes (least squares).

    None where it cannot be told: fewer than two different x, or a figure that is not positive.
    """
    if len(set(xs)) < 2 or min(*xs, *ys) <= 0:
        return None
    return statistics.linear_regression([math.log(x) for x in xs], [math.log(y) for y in ys]).slope


def _round_values(design: Design, knob: Knob) -> Iterator[Any]:
    """2^k and 3·2^k within the knob's range; a tuple is scaled as a whole by such factors."""
    value = design.settings[knob.name]
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0])
        for factor in FACTORS:
            yield tuple(entry.clamp(v * factor) for v in value)
        return
    for k in range(-2, 24):
        for number in (2.0**k, 1.5 * 2.0**k):
            if knob.clamp(number) == number:
                yield knob.kind(number)


def _nearest(design: Design, knob: Knob, value: Any) -> Design | None:
    """The design with this value, or the nearest to it that the rules allow."""
    for candidate in chain((value,), islice(knob.near(value), NEAR)):
        try:
            return design.replace(**{knob.name: candidate})
        except DesignError:
            continue
    return None
