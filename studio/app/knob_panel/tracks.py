"""The values that a slider can stop at: equal steps, or a list of values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.knobs import Knob

STEPS = 100  # a slider with more cannot be set precisely
OCTAVES = 6  # from so many doublings on, a slider has geometric steps
DIGITS = 10  # of a step of a slider, which is a decimal number


@dataclass(frozen=True)
class Track:
    """From `low` to `high` by `step`, or the `values` where the steps are not equal."""

    low: float
    high: float
    step: float
    values: tuple[float, ...] = ()


def track(knob: Knob, value: float, marks: Iterable[float] = ()) -> Track:
    """The track of a number: with geometric steps if the range is huge, and with the value itself
    if that is between two steps."""
    low, high = knob.kind(knob.clamp(knob.ge or 0)), knob.kind(knob.clamp(knob.le or math.inf))
    step = knob.kind(knob.step or 1)
    if (high - low) / step > STEPS and high / max(low, 1) >= 2**OCTAVES:
        return Track(low, high, step, tuple(sorted({*ladder(knob, marks), value})))
    if not _is_step(value, low, step):
        grid = values_of(Track(low, high, step), knob.kind)
        return Track(low, high, step, tuple(sorted({*grid, value})))
    return Track(low, high, step)


def values_of(track: Track, kind: type) -> tuple[Any, ...]:
    """All values that a slider can stop at, in their order, as numbers of the knob's kind."""
    if track.values:
        return track.values
    count = math.floor((track.high - track.low) / track.step + 1e-9)
    return tuple(kind(round(track.low + k * track.step, DIGITS)) for k in range(count + 1))


def _is_step(value: float, low: float, step: float) -> bool:
    return math.isclose((steps := (value - low) / step), round(steps), abs_tol=1e-9)


def ladder(knob: Knob, marks: Iterable[float] = ()) -> list[Any]:
    """About a hundred geometrically spaced values over the range, `marks` included."""
    low, high = knob.clamp(knob.ge or 1), knob.clamp(knob.le or math.inf)
    octaves = max(1, math.floor(math.log2(high / max(low, 1))))
    parts = max(p for p in (1, 2, 4, 8, 16) if p == 1 or p * octaves <= STEPS)
    steps = {knob.clamp(2.0**k * (1 + part / parts)) for k in range(24) for part in range(parts)}
    return sorted({low, high, *steps, *marks})
