"""Sizing: the design of a family that uses a budget best.

Everything here is counted: a candidate is profiled on meta in milliseconds, so a family's depths
are tried one after the other, and for each the largest width that the limits allow is found by
halving. Of those that use the budget well, the one nearest in its proportions to the design that it
came from is taken: wide and shallow nets cost what deep and narrow ones do and are not the same.
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

Share = Callable[[Profile], float]  # of a limit that is not counted, such as a predicted latency
ScalingStrategy = Literal["proportions", "width", "depth", "resolution", "compound"]

AXES: tuple[Axis, ...] = ("width", "depth")  # that a budget may go to
FULL_SHARE = 0.97  # of a limit: a budget that is used to this share is used well
FACTORS = tuple(2.0 ** (k / 8) for k in range(-48, 49))  # from 1/64 to 64
DIGITS = 3  # of a fraction after the point
HEADS = 4  # other numbers of heads that are tried
DISTORTED = 4.0  # between the factors of depth and of width: proportions that nobody has tried
TINY_SHARE = 0.05  # of a limit: perhaps all that the family can be is within it
GOOD_SHARE = 0.8  # of a limit: what a nearer design fills up step by step
DEPTHS = tuple(2.0 ** (k / 4) for k in (0, -1, 1, -2, 2, -3, 3, -4, 4))  # of the one to start from
NEAREST = 5  # depths, that are tried with other numbers of heads too
FAR_DEPTHS = (2.0**-1.5, 2.0**1.5, 2.0**-2, 2.0**2)
# Tan & Le 2019, section 3.3: found by a grid on EfficientNet-B0, so that 2^φ times the compute is
# shared out: α·β²·γ² ≈ 2.
COMPOUND: Mapping[Axis, float] = {"depth": 1.2, "width": 1.1, "resolution": 1.15}


@dataclass(frozen=True)
class SizedDesign:
    """A design that meets the limits, and the share of the binding one that it uses."""

    design: Design
    share: float


def unlimited(_: Profile) -> float:
    """The share of a limit that is open."""
    return 0.0


def fill_budget(
    start: Design,
    limits: Limits,
    batch: int = 1,
    strategy: ScalingStrategy = "proportions",
    also: Share = unlimited,
) -> SizedDesign | None:
    """The largest design that the limits allow, and one more (`also`), made from `start`; None
    where the smallest breaks them. With all limits open it is `start`."""
    search = Search(limits, batch, also)
    if not limits.given and also is unlimited:
        return SizedDesign(start, 0.0)
    if strategy == "proportions":
        if search.share(start) < TINY_SHARE and search.fits(largest := largest_design(start)):
            return SizedDesign(largest, search.share(largest))
        found = _in_proportion(start, search) or search.along(start, tuple(_sizable(start)))
    elif strategy == "compound":
        found = search.largest([scale_compound(start, 8 * math.log2(factor)) for factor in FACTORS])
    else:
        found = search.along(start, axis_knobs(start, strategy))
    filled = search.filled(found) if found else None
    return SizedDesign(filled, search.share(filled)) if filled else None


def next_sizes(design: Design) -> Iterator[Design]:
    """The designs that are one step of one knob larger."""
    for knob in _sizable(design):
        yield from _raised(design, knob, design)


def smallest_design(start: Design) -> Design:
    """The smallest design that comes of the knobs that are sized."""
    return _all_times(start, tuple(_sizable(start)), start, FACTORS[0])


def largest_design(start: Design) -> Design:
    """The largest design that comes of the knobs that are sized."""
    return _all_times(start, tuple(_sizable(start)), start, FACTORS[-1])


def distortion(design: Design, preset: Preset) -> Iterator[str]:
    """What is against a design that is far deeper and narrower than its preset, or the contrary."""
    base = Design(design.family, preset.config)
    turned = {axis: factor for axis in AXES if (factor := _factor(design, base, axis))}
    if turned and max(turned.values()) >= DISTORTED * min(turned.values()):
        told = " and ".join(f"{axis} × {factor:.2g}" for axis, factor in turned.items())
        yield f"its proportions are far from those of {preset.name}: {told}"


def _factor(design: Design, base: Design, axis: Axis) -> float:
    """How many times as deep or as wide a design is as another; 0 where that cannot be said."""
    knob = axes(design).get(axis)
    if knob is None or knob.name not in base.knobs:
        return 0.0
    here, there = (position(knob, one.value(knob.name)) for one in (design, base))
    return here / there if there else 0.0


def scale_compound(start: Design, phi: float) -> Design:
    """Depth, width and resolution scaled together (Tan & Le 2019, eq. 3), to the nearest legal."""
    return scale_axes(start, {axis: base**phi for axis, base in COMPOUND.items()})


def scale_axes(start: Design, factors: Mapping[Axis, float]) -> Design:
    """The knobs of each axis times a factor, to the nearest value that is legal."""
    design = start
    for axis, factor in factors.items():
        design = _all_times(design, axis_knobs(start, axis), start, factor)
    return design


def axis_knobs(design: Design, axis: Axis) -> tuple[Knob, ...]:
    """The knobs that an axis of the whole design is turned by: its first one, and where the design
    is made of records (the stages of a composition) that of each."""
    known = axes(design)
    own = [knob for name, knob in known.items() if knob.axis == axis and name != axis]
    return (*([known[axis]] if axis in known else []), *own)


@dataclass(frozen=True)
class Search:
    """Which designs meet the limits, and the largest of several."""

    limits: Limits
    batch: int = 1
    also: Share = unlimited

    def share(self, design: Design) -> float:
        found = profile(design, self.batch)
        return max(self.limits.share(found), self.also(found))

    def fits(self, design: Design) -> bool:
        return self.share(design) <= 1

    def largest(self, rising: Sequence[Design]) -> Design | None:
        """The last of these that fits, where each needs more than the one before."""
        low, high = 0, len(rising)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.fits(rising[middle]) else (low, middle)
        return rising[low - 1] if low else None

    def along(self, start: Design, knobs: Sequence[Knob]) -> Design | None:
        """The largest along an axis: by factors first, and then by the single steps of a knob."""
        if not knobs:
            return start if self.fits(start) else None
        rising = tuple(dict.fromkeys(_all_times(start, knobs, start, f) for f in FACTORS))
        found = self.largest(sorted(rising, key=lambda design: _place(design, knobs)))
        return self.climbed(found, knobs[0]) if found and len(knobs) == 1 else found

    def climbed(self, design: Design, knob: Knob) -> Design:
        """One step after the other, as long as the limits allow."""
        start, chain, stride = design, _chain(design, knob, design), 1
        while ahead := tuple(islice(chain, stride)):  # in longer and longer strides, then halved
            reached = self.largest((design, *ahead)) or design
            design, stride = reached, 2 * stride
            if reached != ahead[-1]:
                break
        while higher := next(filter(self.fits, _raised(design, knob, start)), None):
            design = higher
        return design

    def filled(self, design: Design) -> Design:
        """What is left of the budget goes to the knobs that are sized, the finest steps last; where
        there are many of a kind, to all of them a step at a time."""
        if any(len(axis_knobs(design, axis)) > 1 for axis in AXES):
            return self._filled_in_turn(design)
        for _ in range(2):
            for knob in _sizable(design):
                if self.share(design) >= FULL_SHARE:
                    return design
                design = self.climbed(design, knob)
        return design

    def _filled_in_turn(self, start: Design) -> Design:
        design, grown = start, True
        while grown:
            grown = False
            for knob in _sizable(design):
                if self.share(design) >= FULL_SHARE:
                    return design
                if higher := next(filter(self.fits, _raised(design, knob, start)), None):
                    design, grown = higher, True
        return design


def _in_proportion(start: Design, search: Search) -> Design | None:
    """The first that uses the budget well, by distance from the proportions of `start`; where none
    does, the one that uses it best. Proportions that are far off are for budgets that else would be
    used poorly."""
    width = axis_knobs(start, "width")
    best: tuple[float, Design] | None = None
    for variant, far in _variants(start):
        if far and best and best[0] >= GOOD_SHARE:
            break
        if (found := search.along(variant, width)) is None:
            continue
        share = search.share(found)
        if share >= FULL_SHARE:
            return found
        best = max(best or (share, found), (share, found), key=lambda one: one[0])
    return best[1] if best else None


def _variants(start: Design) -> Iterator[tuple[Design, bool]]:
    """The depths to try, the one of `start` first, and then other numbers of heads: each has other
    widths that it divides. At last depths that are far off, which is said."""
    depth, heads = axis_knobs(start, "depth"), axes(start).get("heads")
    near = [_all_times(start, depth, start, factor) for factor in (DEPTHS if depth else (1.0,))]
    yield from ((design, False) for design in near)
    if heads:
        for design in near[:NEAREST]:
            others = islice(heads.near(design.value(heads.name)), HEADS)
            yield from ((_turned(design, heads.name, value), False) for value in others)
    if depth:
        yield from ((_all_times(start, depth, start, factor), True) for factor in FAR_DEPTHS)


def _sizable(design: Design) -> Iterator[Knob]:
    """The knobs that a budget may go to. Resolution is the task's."""
    for knob in design.knobs.values():
        if knob.axis in AXES and not knob.options:
            yield knob


def _all_times(design: Design, knobs: Sequence[Knob], start: Design, factor: float) -> Design:
    for knob in knobs:
        design = _times(design, knob, start, factor)
    return design


def _place(design: Design, knobs: Sequence[Knob]) -> float:
    """Where a design lies on an axis."""
    return sum(position(knob, design.value(knob.name)) for knob in knobs)


def _times(design: Design, knob: Knob, start: Design, factor: float) -> Design:
    """The design with a knob at a factor of what it is in `start`, or at the nearest legal value;
    as it was where there is none."""
    value = start.value(knob.name)
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0])
        return _turned(design, knob.name, tuple(entry.clamp(v * factor) for v in value))
    return _turned(design, knob.name, _written(knob.clamp(value * factor)))


def _written(value: Any) -> Any:
    """A fraction as people write it."""
    return round(value, DIGITS) if isinstance(value, float) else value


def _raised(design: Design, knob: Knob, start: Design) -> Iterator[Design]:
    """The design with a knob one legal step higher; of a tuple one entry, that which has grown
    least since `start` first, and of equals the last."""
    value = design.value(knob.name)
    if isinstance(value, tuple):
        yield from _raised_of_tuple(design, knob, value, start.value(knob.name))
        return
    if not isinstance(value, int):
        step = knob.step or 0.05
        higher = _turned(design, knob.name, _written(knob.clamp(value + step)))
    else:
        above = (v for v in knob.near(value) if v > value)
        higher = _turned(design, knob.name, next(above, value))
    if higher.value(knob.name) > value:
        yield higher


def _chain(design: Design, knob: Knob, start: Design) -> Iterator[Design]:
    """The design with a knob higher and higher, each time by the first step that is legal."""
    while higher := next(_raised(design, knob, start), None):
        yield higher
        design = higher


def _raised_of_tuple(
    design: Design, knob: Knob, value: tuple[int, ...], start: tuple[int, ...]
) -> Iterator[Design]:
    for i in sorted(range(len(value)), key=lambda i: (value[i] / max(start[i], 1), -i)):
        grown = (*value[:i], value[i] + int(knob.step or 1), *value[i + 1 :])
        higher = _turned(design, knob.name, grown)
        if higher.value(knob.name) == grown:
            yield higher


def _turned(design: Design, name: str, value: object) -> Design:
    try:
        return Design(design.family, design.family.snap(design.config, name, value).config)
    except DesignError:
        return design
