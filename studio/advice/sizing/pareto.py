"""Candidates: the sizes of a family around a design, what each costs, and which are worth a look.

Everything is counted on the real model, and no accuracy is guessed. Of two sizes of a family that
cost the same compute, the one with more parameters is taken for the abler: where sound designs
differ in size alone, nothing that can be had without training tells more (Li et al. 2023, ZiCo,
found none of the scores before theirs better than the count throughout), and the proportions of
depth and width matter little (Kaplan et al. 2020, section 3.1: one in forty, for a few percent).
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

FACTORS: Mapping[Axis, tuple[float, ...]] = {  # of what the design has
    "resolution": (1 / 2, 3 / 4, 1, 5 / 4, 3 / 2, 2),
    "width": tuple(2 ** (k / 4) for k in range(-8, 9)),
    "heads": (1 / 2, 1, 2),
    "depth": tuple(2 ** (k / 4) for k in range(-4, 5)),
}
SIZES: tuple[Axis, ...] = ("width", "heads", "depth")


@dataclass(frozen=True)
class Candidate:
    """A size of a family. `fits`: it is within the limits. `best`: it is, and nothing else that is
    and sees inputs as large has as many parameters for less compute, or more for as little."""

    design: Design
    profile: Profile
    fits: bool
    best: bool


def candidates(
    start: Design, limits: Limits, batch: int = 1, along: Sequence[Axis] = SIZES
) -> tuple[Candidate, ...]:
    """The grid around a design along its axes, in rising order of compute; `start` is in it.

    Resolution is left as it is, unless the task leaves it open and it is asked for. Takes about
    10 ms a design, once.
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
    """The profile of each."""
    with freeze_gc():
        return [profile(design, batch) for design in designs]


def pareto_front(found: Sequence[Profile]) -> Iterator[Profile]:
    """Of designs in rising order of compute those with more parameters than any before them whose
    inputs are as large; of equals the first."""
    most: dict[object, int] = {}
    for cost in found:
        sees = cost.inputs
        if cost.params > most.get(sees, 0):
            most[sees] = cost.params
            yield cost


def grid(start: Design, along: Sequence[Axis] = SIZES) -> tuple[Design, ...]:
    """Every combination of sizes along these axes, each as near to its factor as is legal. Heads
    go with the width first, so that each stays as wide as it was."""
    known = [axis for axis in FACTORS if axis in along and axis in axes(start)]
    rows = product(*(FACTORS[axis] for axis in known))
    made = (_scaled(start, dict(zip(known, row, strict=True))) for row in rows)
    return tuple(dict.fromkeys((start, *made)))


def _scaled(start: Design, factors: dict[Axis, float]) -> Design:
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
