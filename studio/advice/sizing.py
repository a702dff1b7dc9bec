"""Sizing: the design of a family that uses a budget best.

Everything here is counted: a candidate is profiled on meta in milliseconds, so a family's depths
are tried one after the other, and for each the largest width that the limits allow is found by
halving. Of those that use the budget well, the one nearest in its proportions to the design that it
came from is taken: wide and shallow nets cost what deep and narrow ones do and are not the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, get_args

from studio.advice.limits import Limits
from studio.analysis.profile import profile
from studio.analysis.scaling import axes, position
from studio.family import Design
from studio.knobs import Axis, DesignError, Knob

Strategy = Literal["proportions", "width", "depth", "resolution", "compound"]
STRATEGIES = get_args(Strategy)

WELL = 0.97  # of a limit: a budget that is used to this share is used well
FACTORS = tuple(2.0 ** (k / 8) for k in range(-48, 49))  # from 1/64 to 64
HEADS = 4  # other numbers of heads that are tried
DEPTHS = tuple(2.0 ** (k / 4) for k in range(-4, 5))  # of the depth to start from, in a search
# Tan & Le 2019, section 3.3: found by a grid on EfficientNet-B0, so that 2^φ times the compute is
# shared out: α·β²·γ² ≈ 2.
COMPOUND: Mapping[Axis, float] = {"depth": 1.2, "width": 1.1, "resolution": 1.15}


@dataclass(frozen=True)
class Sized:
    """A design that meets the limits, and the share of the binding one that it uses."""

    design: Design
    share: float


def sized(
    start: Design, limits: Limits, batch: int = 1, strategy: Strategy = "proportions"
) -> Sized | None:
    """The largest design that the limits allow, made from `start`; None where the smallest breaks
    them. With all limits open it is `start`."""
    if not limits.given:
        return Sized(start, 0.0)
    search = Search(limits, batch)
    if strategy == "proportions":
        found = _in_proportion(start, search)
    elif strategy == "compound":
        found = search.largest([compound(start, 8 * math.log2(factor)) for factor in FACTORS])
    else:
        found = search.along(start, axes(start).get(strategy))
    filled = search.filled(found) if found else None
    return Sized(filled, search.share(filled)) if filled else None


def steps(design: Design) -> Iterator[Design]:
    """The designs that are one step of one knob larger."""
    for knob in _sizable(design):
        if higher := _next(design, knob):
            yield higher


def least(start: Design) -> Design:
    """The smallest design that comes of the knobs that are sized."""
    design = start
    for knob in _sizable(start):
        design = _times(design, knob, start, FACTORS[0])
    return design


def compound(start: Design, phi: float) -> Design:
    """Depth, width and resolution scaled together (Tan & Le 2019, eq. 3), to the nearest legal."""
    return scaled(start, {axis: base**phi for axis, base in COMPOUND.items()})


def scaled(start: Design, factors: Mapping[Axis, float]) -> Design:
    """The first knob of each axis times a factor, to the nearest value that is legal."""
    design = start
    for axis, factor in factors.items():
        if knob := axes(start).get(axis):
            design = _times(design, knob, start, factor)
    return design


@dataclass(frozen=True)
class Search:
    """Which designs meet the limits, and the largest of several."""

    limits: Limits
    batch: int = 1

    def share(self, design: Design) -> float:
        return self.limits.share(profile(design, self.batch))

    def fits(self, design: Design) -> bool:
        return self.share(design) <= 1

    def largest(self, rising: Sequence[Design]) -> Design | None:
        """The last of these that fits, where each needs more than the one before."""
        low, high = 0, len(rising)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.fits(rising[middle]) else (low, middle)
        return rising[low - 1] if low else None

    def along(self, start: Design, knob: Knob | None) -> Design | None:
        """The largest along one knob: by factors first, and then by its single steps."""
        if knob is None:
            return start if self.fits(start) else None
        rising = tuple(dict.fromkeys(_times(start, knob, start, f) for f in FACTORS))
        found = self.largest(sorted(rising, key=lambda d: position(knob, d.value(knob.name))))
        return self.climbed(found, knob) if found else None

    def climbed(self, design: Design, knob: Knob) -> Design:
        """One step after the other, as long as the limits allow."""
        while (higher := _next(design, knob)) and self.fits(higher):
            design = higher
        return design

    def filled(self, design: Design) -> Design:
        """What is left of the budget goes to the knobs that are sized, the finest steps last."""
        for _ in range(2):
            for knob in _sizable(design):
                if self.share(design) >= WELL:
                    return design
                design = self.climbed(design, knob)
        return design


def _in_proportion(start: Design, search: Search) -> Design | None:
    """The first that uses the budget well, by distance from the proportions of `start`; where none
    does, the one that uses it best."""
    width = axes(start).get("width")
    found: Design | None = None
    for variant in _variants(start):
        candidate = search.along(variant, width)
        if candidate is None:
            continue
        if search.share(candidate) >= WELL:
            return candidate
        if found is None or search.share(candidate) > search.share(found):
            found = candidate
    return found


def _variants(start: Design) -> Iterator[Design]:
    """The depths to try, the one of `start` first, and then other numbers of heads: each has other
    widths that it divides."""
    depth, heads = axes(start).get("depth"), axes(start).get("heads")
    factors = sorted(DEPTHS, key=lambda factor: abs(math.log(factor))) if depth else [1.0]
    depths = [_times(start, depth, start, factor) if depth else start for factor in factors]
    yield from depths
    if heads is None:
        return
    for design in depths:
        others = islice(heads.near(design.value(heads.name)), HEADS)
        yield from (_turned(design, heads.name, value) for value in others)


def _sizable(design: Design) -> Iterator[Knob]:
    """The knobs that a budget may go to. Resolution is the task's."""
    wanted: tuple[Axis, ...] = ("width", "depth")
    for knob in design.knobs.values():
        if knob.axis in wanted and not knob.options:
            yield knob


def _times(design: Design, knob: Knob, start: Design, factor: float) -> Design:
    """The design with a knob at a factor of what it is in `start`, or at the nearest legal value;
    as it was where there is none."""
    value = start.value(knob.name)
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0])
        return _turned(design, knob.name, tuple(entry.clamp(v * factor) for v in value))
    return _turned(design, knob.name, knob.clamp(value * factor))


def _next(design: Design, knob: Knob) -> Design | None:
    """The design with a knob one legal step higher; None where there is none."""
    value = design.value(knob.name)
    if isinstance(value, tuple):
        return _next_of_tuple(design, knob, value)
    if not isinstance(value, int):
        higher = _turned(design, knob.name, knob.clamp(value + (knob.step or 0.05)))
    else:
        above = (v for v in knob.near(value) if v > value)
        higher = _turned(design, knob.name, next(above, value))
    return higher if higher.value(knob.name) > value else None


def _next_of_tuple(design: Design, knob: Knob, value: tuple[int, ...]) -> Design | None:
    """The longest entry grows first: a stage with many blocks changes its proportions least."""
    for i in sorted(range(len(value)), key=lambda i: -value[i]):
        grown = (*value[:i], value[i] + int(knob.step or 1), *value[i + 1 :])
        higher = _turned(design, knob.name, grown)
        if higher.value(knob.name) == grown:
            return higher
    return None


def _turned(design: Design, name: str, value: object) -> Design:
    try:
        return Design(design.family, design.family.turn(design.config, name, value).config)
    except DesignError:
        return design
