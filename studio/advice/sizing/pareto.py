"""The sizes of a family around a design, with their cost, and the Pareto front among them.

Costs are counted on the real model; accuracy is not estimated. Of two sizes with equal compute, the
one with more parameters counts as better: among sound designs that differ only in size, no
training-free score is consistently better than the parameter count (Li et al. 2023, ZiCo), and the
ratio of depth to width matters little (Kaplan et al. 2020, section 3.1: a factor of 40 changes the
loss by a few percent).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from studio.advice.budget import Limits
from studio.advice.sizing.scaling_search import scale_axes
from studio.analysis.cost.profiler import Profile, freeze_gc, profile
from studio.analysis.cost.scaling import axes
from studio.family import Design
from studio.knobs import Axis, DesignError

FACTORS: Mapping[Axis, tuple[float, ...]] = {  # relative to the design
    "resolution": (1 / 2, 3 / 4, 1, 5 / 4, 3 / 2, 2),
    "width": tuple(2 ** (k / 4) for k in range(-8, 9)),
    "heads": (1 / 2, 1, 2),
    "depth": tuple(2 ** (k / 4) for k in range(-4, 5)),
}
SIZES: tuple[Axis, ...] = ("width", "heads", "depth")


@dataclass(frozen=True)
class Candidate:
    """A size of a family. `fits`: it is within the limits. `best`: it is on the Pareto front of
    compute and parameters, among those that fit and have the same input size."""

    design: Design
    profile: Profile
    fits: bool
    best: bool


def candidates(
    start: Design, limits: Limits, batch: int = 1, along: Sequence[Axis] = SIZES
) -> tuple[Candidate, ...]:
    """The grid around a design along its axes, including `start`, in increasing order of compute.

    Resolution is fixed unless it is in `along`. The first call takes about 10 ms a design.
    """
    costs = profiles(grid(start, along), batch)
    found = sorted(costs, key=lambda cost: (cost.macs, -cost.params, cost.inference_bytes))
    fits = [limits.share(cost) <= 1 for cost in found]
    best = {
        cost.design for cost in pareto_front([c for c, fit in zip(found, fits, strict=True) if fit])
    }
    return tuple(
        Candidate(cost.design, cost, fit, cost.design in best)
        for cost, fit in zip(found, fits, strict=True)
    )


def profiles(designs: Iterable[Design], batch: int = 1) -> list[Profile]:
    """The profiles of designs."""
    with freeze_gc():
        return [profile(design, batch) for design in designs]


def pareto_front(found: Sequence[Profile]) -> Iterator[Profile]:
    """The Pareto front of profiles in increasing order of compute: those with more parameters than
    any before them with the same input size; of equals the first."""
    most: dict[object, int] = {}
    for cost in found:
        if cost.params > most.get(cost.inputs, 0):
            most[cost.inputs] = cost.params
            yield cost


def grid(start: Design, along: Sequence[Axis] = SIZES) -> tuple[Design, ...]:
    """Every combination of FACTORS along these axes, at the nearest valid values. The number of
    heads is scaled with the width first, so that the width of a head is kept."""
    known = [axis for axis in FACTORS if axis in along and axis in axes(start)]
    rows = product(*(FACTORS[axis] for axis in known))
    made = (_scale_with_heads(start, dict(zip(known, row, strict=True))) for row in rows)
    return tuple(dict.fromkeys((start, *made)))


def _scale_with_heads(start: Design, factors: dict[Axis, float]) -> Design:
    width, heads = axes(start).get("width"), axes(start).get("heads")
    if width is None or heads is None or not {"width", "heads"} <= factors.keys():
        return scale_axes(start, factors)
    wide = width.clamp(start.value(width.name) * factors["width"])
    each = start.value(width.name) / start.value(heads.name) / factors["heads"]
    rest = scale_axes(
        start, {axis: f for axis, f in factors.items() if axis not in ("width", "heads")}
    )
    try:
        return rest.replace(**{width.name: wide, heads.name: heads.clamp(wide / each)})
    except DesignError:
        return scale_axes(start, factors)
