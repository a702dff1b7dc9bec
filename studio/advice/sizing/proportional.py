"""The size of a design with the proportions of a preset, within a budget.

It need not use the whole budget: the search minimises the sum of unused budget and of deviation
from the proportions of the preset, both in octaves.
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

ENOUGH = 0.5  # octaves of mismatch, at which the search stops
DEPTH_PENALTY = 0.5  # octaves of mismatch per octave of changed depth
CUBIC = 1 / 3  # exponent of the depth in a cost that grows with depth × width²


def recommend_size(base: Design, search: Search) -> SizedDesign | None:
    """The design scaled from `base` that uses the limits best; None if no size with its
    proportions is within them."""
    best: tuple[float, SizedDesign] | None = None
    around = max(search.share(base), 1e-9) ** -CUBIC
    for depth in depth_factors(base, around):
        if best and best[0] <= DEPTH_PENALTY * abs(math.log2(depth)):
            continue  # too far from the depth of `base`, whatever the width
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
    """Octaves of changed proportions plus octaves of unused budget."""
    return spread(found.design, base) + math.log2(1 / max(found.share, 1e-9))


def _rising(base: Design, depth: float) -> Iterator[Design]:
    factor = 2**MAX_SPREAD
    for width in width_factors(base, depth / factor, depth * factor):
        if found := resize(base, depth, width):
            yield found
