"""Sizes in the place of ratios: `mlp_dim=18944` for `mlp_ratio=18944/3584`.

A config holds the ratio, so that a layer keeps its proportions when its width changes. A float is
exact enough for that: rounded to a whole number, the width times the ratio is the size again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from studio.knobs import Knob

LARGEST = 2**20


def size_of(ratio: Knob, width: Knob) -> Knob:
    """The knob of the size that is a ratio of a width; how large it may be depends on the width."""
    return Knob(
        name=ratio.size,
        default=round(ratio.default * width.default),
        help=f"{ratio.of} × {ratio.name.rpartition('.')[2]}: {ratio.help}",
        axis=ratio.axis,
        ge=1,
        le=LARGEST,
        step=width.step,
    )


def sizes(known: Mapping[str, Knob]) -> dict[str, Knob]:
    """The knobs of all sizes that may be given in the place of ratios."""
    return {knob.size: size_of(knob, known[knob.of]) for knob in known.values() if knob.size}


def with_ratios(
    known: Mapping[str, Knob], settings: Mapping[str, Any], held: Callable[[str], Any]
) -> dict[str, Any]:
    """The settings of a record, with a ratio in the place of each size. Raises ValueError.

    `held` is what the record has of a knob that is not set.
    """
    found = dict(settings)
    for ratio in known.values():
        if not ratio.size or ratio.size not in found:
            continue
        size, width = found.pop(ratio.size), found.get(ratio.of, held(ratio.of))
        low, high = math.ceil(width * (ratio.ge or 0)), math.floor(width * (ratio.le or 1))
        if not low <= size <= high:
            raise ValueError(
                f"{ratio.size}={size} is outside {low} to {high},"
                f" {ratio.ge:g} to {ratio.le:g} times {ratio.of}={width}"
            )
        if ratio.name in settings and round(width * settings[ratio.name]) != size:
            raise ValueError(
                f"{ratio.size}={size} is not {ratio.name}={ratio.text(settings[ratio.name])}"
                f" times {ratio.of}={width}"
            )
        found[ratio.name] = size / width
    return found
