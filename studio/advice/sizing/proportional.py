"""A recommendation: a design that an engineer would build, within a budget.

It need not use the last per cent of it. A preset at 60 % of the budget, which somebody has trained,
is better than a size nobody has tried at all of it; else it is a size in the proportions of a
preset, with as little of the budget unused and as little changed as goes together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from studio.advice.sizing.proportions import (
    MAX_SPREAD,
    depth_factors,
    resize,
    spread,
    width_factors,
)
from studio.advice.sizing.scaling_search import Search, SizedDesign
from studio.family import Design

ENOUGH = 0.5  # octaves of what is unused and changed, below which there is no need to look on
DEPTH_PENALTY = 0.5  # an octave of depth counts as half an octave of changed proportions
CUBIC = 1 / 3  # of a cost that grows with the depth and the square of the width


def recommend_size(base: Design, search: Search) -> SizedDesign | None:
    """The design made from `base` that suits the limits best; None where nothing in its
    proportions is within them."""
    best: tuple[float, SizedDesign] | None = None
    around = max(search.share(base), 1e-9) ** -CUBIC
    for depth in depth_factors(base, around):
        if best and best[0] <= DEPTH_PENALTY * abs(math.log2(depth)):
            continue  # so far from the depth of `base` that no width makes up for it
        found = search.largest(tuple(_rising(base, depth)))
        if found is None:
            continue
        sized = SizedDesign(found, search.share(found))
        far = size_mismatch(sized, base) + DEPTH_PENALTY * abs(math.log2(depth))
        if best is None or far < best[0]:
            best = far, sized
        if best[0] <= ENOUGH:
            break
    return best[1] if best else None


def size_mismatch(found: SizedDesign, base: Design) -> float:
    """Octaves of changed proportions and of unused budget."""
    return spread(found.design, base) + math.log2(1 / max(found.share, 1e-9))


def _rising(base: Design, depth: float) -> Iterator[Design]:
    factor = 2**MAX_SPREAD
    for width in width_factors(base, depth / factor, depth * factor):
        if found := resize(base, depth, width):
            yield found
