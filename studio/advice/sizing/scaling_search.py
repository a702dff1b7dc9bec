"""Search for the size of a family that uses a budget best.

A candidate is profiled on the meta device in milliseconds. So the search tries one depth after the
other, and for each finds the largest width within the limits by bisection. Of the designs that use
the budget well, it takes the one whose proportions are nearest to those of the start: wide and
shallow networks cost the same as deep and narrow ones, but behave differently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from studio.advice.budget import Limits
from studio.analysis.cost.profiler import Profile, profile
from studio.analysis.cost.scaling import axes, position
from studio.family import Design, Preset
from studio.knobs import Axis, DesignError, Knob

Share = Callable[[Profile], float]  # of a further limit, such as a predicted latency
ScalingStrategy = Literal["proportions", "width", "depth", "resolution", "compound"]

AXES: tuple[Axis, ...] = ("width", "depth")  # that are scaled to use a budget
FULL_SHARE = 0.97  # of the binding limit: the budget counts as used
FACTORS = tuple(2.0 ** (k / 8) for k in range(-48, 49))  # from 1/64 to 64
DIGITS = 3  # decimals of a multiplier
HEADS = 4  # alternative numbers of heads to try
DISTORTED = 4.0  # ratio of the factors of depth and width, from which a doubt is raised
TINY_SHARE = 0.05  # of the binding limit: the largest design of the family may fit
GOOD_SHARE = 0.8  # of the binding limit: the rest can be filled in single steps
DEPTHS = tuple(2.0 ** (k / 4) for k in (0, -1, 1, -2, 2, -3, 3, -4, 4))  # relative to the start
NEAREST = 5  # depths that are also tried with other numbers of heads
FAR_DEPTHS = (2.0**-1.5, 2.0**1.5, 2.0**-2, 2.0**2)
# Tan & Le 2019, section 3.3: found by a grid search on EfficientNet-B0 with α·β²·γ² ≈ 2, so that
# compute grows by 2^φ.
COMPOUND: Mapping[Axis, float] = {"depth": 1.2, "width": 1.1, "resolution": 1.15}


@dataclass(frozen=True)
class SizedDesign:
    """A design within the limits, and the share of the binding limit that it uses."""

    design: Design
    share: float


def unlimited(_: Profile) -> float:
    """The share of a limit that is not set."""
    return 0.0


def fill_budget(
    start: Design,
    limits: Limits,
    batch: int = 1,
    strategy: ScalingStrategy = "proportions",
    also: Share = unlimited,
) -> SizedDesign | None:
    """The largest design scaled from `start` within the limits and a further one, `also`. None if
    even the smallest exceeds them; `start` itself without limits."""
    search = Search(limits, batch, also)
    if not limits.given and also is unlimited:
        return SizedDesign(start, 0.0)
    if strategy == "proportions":
        if search.share(start) < TINY_SHARE and search.fits(largest := largest_design(start)):
            return SizedDesign(largest, search.share(largest))
        found = _in_proportion(start, search) or search.largest_along(start, tuple(_sizable(start)))
    elif strategy == "compound":
        found = search.largest([scale_compound(start, 8 * math.log2(factor)) for factor in FACTORS])
    else:
        found = search.largest_along(start, axis_knobs(start, strategy))
    filled = search.fill(found) if found else None
    return SizedDesign(filled, search.share(filled)) if filled else None


def next_sizes(design: Design) -> Iterator[Design]:
    """The designs that are larger by one step of one knob."""
    for knob in _sizable(design):
        yield from _step_up(design, knob, design)


def smallest_design(start: Design) -> Design:
    """The smallest design that can be scaled from `start`."""
    return _all_times(start, tuple(_sizable(start)), start, FACTORS[0])


def largest_design(start: Design) -> Design:
    """The largest design that can be scaled from `start`."""
    return _all_times(start, tuple(_sizable(start)), start, FACTORS[-1])


def distortion(design: Design, preset: Preset) -> Iterator[str]:
    """The doubt about a design that is much deeper and narrower than its preset, or wider and
    shallower."""
    base = Design(design.family, preset.config)
    scale = {axis: factor for axis in AXES if (factor := _factor(design, base, axis))}
    if scale and max(scale.values()) >= DISTORTED * min(scale.values()):
        factors = " and ".join(f"{axis} × {factor:.2g}" for axis, factor in scale.items())
        yield f"its proportions are far from those of {preset.name}: {factors}"


def _factor(design: Design, base: Design, axis: Axis) -> float:
    """The ratio of depth or width to another design; 0 if it is undefined."""
    knob = axes(design).get(axis)
    if knob is None or knob.name not in base.knobs:
        return 0.0
    here, there = (position(knob, one.value(knob.name)) for one in (design, base))
    return here / there if there else 0.0


def scale_compound(start: Design, phi: float) -> Design:
    """Scale depth, width and resolution together (Tan & Le 2019, eq. 3), to valid values."""
    return scale_axes(start, {axis: base**phi for axis, base in COMPOUND.items()})


def scale_axes(start: Design, factors: Mapping[Axis, float]) -> Design:
    """Scale the knobs of each axis by a factor, to the nearest valid values."""
    design = start
    for axis, factor in factors.items():
        design = _all_times(design, axis_knobs(start, axis), start, factor)
    return design


def axis_knobs(design: Design, axis: Axis) -> tuple[Knob, ...]:
    """The knobs that scale an axis: the first one of the design, or of each of its stages."""
    known = axes(design)
    own = [knob for name, knob in known.items() if knob.axis == axis and name != axis]
    return (*([known[axis]] if axis in known else []), *own)


@dataclass(frozen=True)
class Search:
    """The limits, and the search for the largest design within them."""

    limits: Limits
    batch: int = 1
    also: Share = unlimited

    def share(self, design: Design) -> float:
        found = profile(design, self.batch)
        return max(self.limits.share(found), self.also(found))

    def fits(self, design: Design) -> bool:
        return self.share(design) <= 1

    def largest(self, rising: Sequence[Design]) -> Design | None:
        """The last design that fits, of designs in increasing order of cost; None if none does."""
        low, high = 0, len(rising)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.fits(rising[middle]) else (low, middle)
        return rising[low - 1] if low else None

    def largest_along(self, start: Design, knobs: Sequence[Knob]) -> Design | None:
        """The largest design along an axis: by factors first, then by single steps of the knob."""
        if not knobs:
            return start if self.fits(start) else None
        rising = tuple(dict.fromkeys(_all_times(start, knobs, start, f) for f in FACTORS))
        found = self.largest(sorted(rising, key=lambda design: _place(design, knobs)))
        return self.climb(found, knobs[0]) if found and len(knobs) == 1 else found

    def climb(self, design: Design, knob: Knob) -> Design:
        """Increase a knob step by step as long as the limits allow."""
        start, chain, stride = design, _chain(design, knob, design), 1
        while ahead := tuple(islice(chain, stride)):  # galloping search
            reached = self.largest((design, *ahead)) or design
            design, stride = reached, 2 * stride
            if reached != ahead[-1]:
                break
        while higher := next(filter(self.fits, _step_up(design, knob, start)), None):
            design = higher
        return design

    def fill(self, design: Design) -> Design:
        """Spend the rest of the budget on depth and width in single steps; with several knobs of an
        axis, on all of them in turn."""
        if any(len(axis_knobs(design, axis)) > 1 for axis in AXES):
            return self._fill_in_turn(design)
        for _ in range(2):
            for knob in _sizable(design):
                if self.share(design) >= FULL_SHARE:
                    return design
                design = self.climb(design, knob)
        return design

    def _fill_in_turn(self, start: Design) -> Design:
        design, grown = start, True
        while grown:
            grown = False
            for knob in _sizable(design):
                if self.share(design) >= FULL_SHARE:
                    return design
                if higher := next(filter(self.fits, _step_up(design, knob, start)), None):
                    design, grown = higher, True
        return design


def _in_proportion(start: Design, search: Search) -> Design | None:
    """The first design that uses the budget well, by distance from the proportions of `start`; if
    none does, the one that uses it best. Distant depths are tried only if nearer ones use it
    poorly."""
    width = axis_knobs(start, "width")
    best: tuple[float, Design] | None = None
    for variant, far in _variants(start):
        if far and best and best[0] >= GOOD_SHARE:
            break
        if (found := search.largest_along(variant, width)) is None:
            continue
        share = search.share(found)
        if share >= FULL_SHARE:
            return found
        best = max(best or (share, found), (share, found), key=lambda one: one[0])
    return best[1] if best else None


def _variants(start: Design) -> Iterator[tuple[Design, bool]]:
    """Variants to scale in width: depths, that of `start` first; then other numbers of heads, which
    divide other widths; then distant depths, flagged True."""
    depth, heads = axis_knobs(start, "depth"), axes(start).get("heads")
    near = [_all_times(start, depth, start, factor) for factor in (DEPTHS if depth else (1.0,))]
    yield from ((design, False) for design in near)
    if heads:
        for design in near[:NEAREST]:
            others = islice(heads.near(design.value(heads.name)), HEADS)
            yield from ((_set_knob(design, heads.name, value), False) for value in others)
    if depth:
        yield from ((_all_times(start, depth, start, factor), True) for factor in FAR_DEPTHS)


def _sizable(design: Design) -> Iterator[Knob]:
    """The depth and width knobs. The task determines the resolution."""
    for knob in design.knobs.values():
        if knob.axis in AXES and not knob.options:
            yield knob


def _all_times(design: Design, knobs: Sequence[Knob], start: Design, factor: float) -> Design:
    for knob in knobs:
        design = _times(design, knob, start, factor)
    return design


def _place(design: Design, knobs: Sequence[Knob]) -> float:
    """The position of a design on an axis."""
    return sum(position(knob, design.value(knob.name)) for knob in knobs)


def _times(design: Design, knob: Knob, start: Design, factor: float) -> Design:
    """Set a knob to its value in `start` times a factor, or the nearest valid value; unchanged if
    there is none."""
    value = start.value(knob.name)
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0])
        return _set_knob(design, knob.name, tuple(entry.clamp(v * factor) for v in value))
    return _set_knob(design, knob.name, _round(knob.clamp(value * factor)))


def _round(value: Any) -> Any:
    """A value with at most DIGITS decimals."""
    return round(value, DIGITS) if isinstance(value, float) else value


def _step_up(design: Design, knob: Knob, start: Design) -> Iterator[Design]:
    """The design with a knob one valid step higher; of a tuple one entry, the one that has grown
    least since `start` first, of equals the last."""
    value = design.value(knob.name)
    if isinstance(value, tuple):
        yield from _step_up_tuple(design, knob, value, start.value(knob.name))
        return
    if not isinstance(value, int):
        step = knob.step or 0.05
        higher = _set_knob(design, knob.name, _round(knob.clamp(value + step)))
    else:
        above = (v for v in knob.near(value) if v > value)
        higher = _set_knob(design, knob.name, next(above, value))
    if higher.value(knob.name) > value:
        yield higher


def _chain(design: Design, knob: Knob, start: Design) -> Iterator[Design]:
    """The design with a knob one valid step higher each time."""
    while higher := next(_step_up(design, knob, start), None):
        yield higher
        design = higher


def _step_up_tuple(
    design: Design, knob: Knob, value: tuple[int, ...], start: tuple[int, ...]
) -> Iterator[Design]:
    for i in sorted(range(len(value)), key=lambda i: (value[i] / max(start[i], 1), -i)):
        grown = (*value[:i], value[i] + int(knob.step or 1), *value[i + 1 :])
        higher = _set_knob(design, knob.name, grown)
        if higher.value(knob.name) == grown:
            yield higher


def _set_knob(design: Design, name: str, value: object) -> Design:
    try:
        return Design(design.family, design.family.snap(design.config, name, value).config)
    except DesignError:
        return design
