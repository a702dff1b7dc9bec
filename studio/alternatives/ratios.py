"""Sizes given instead of ratios: `mlp_dim=18944` for `mlp_ratio=18944/3584`.

A config holds the ratio, so that a layer keeps its proportions when its width changes. A float is
exact enough: the width times the ratio, rounded to a whole number, gives the size again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from studio.knobs import Knob

LARGEST = 10**15  # above all sizes: the range of a size depends on its width


def size_of(ratio: Knob, width: Knob, current: int | None = None) -> Knob:
    """The knob of the size that a ratio gives. Its range depends on the `current` width; without
    one it is unlimited."""
    low, high = (1, LARGEST) if current is None else limits(ratio, current)
    return Knob(
        name=ratio.size,
        default=round(ratio.default * width.default),
        help=f"{ratio.of} × {ratio.name.rpartition('.')[2]}: {ratio.help}",
        axis=ratio.axis,
        ge=low,
        le=high,
        step=width.step,
    )


def limits(ratio: Knob, width: int) -> tuple[int, int]:
    """The smallest and the largest size for a width."""
    return math.ceil(width * (ratio.ge or 0)), math.floor(width * (ratio.le or 1))


def unlimited(size: Knob) -> Knob:
    """The knob of a size that is set together with its width, without limits."""
    return replace(size, ge=1, le=LARGEST)


def sizes(known: Mapping[str, Knob]) -> dict[str, Knob]:
    """The knobs of all sizes that can be given instead of ratios."""
    return {knob.size: size_of(knob, known[knob.of]) for knob in known.values() if knob.size}


def with_ratios(
    known: Mapping[str, Knob], settings: Mapping[str, Any], current: Callable[[str], Any]
) -> dict[str, Any]:
    """The settings of a record, with each size replaced by its ratio. Raises ValueError.

    `current` returns the value of a knob that is not set.
    """
    found = dict(settings)
    for ratio in known.values():
        if not ratio.size or ratio.size not in found:
            continue
        size, width = found.pop(ratio.size), found.get(ratio.of, current(ratio.of))
        low, high = limits(ratio, width)
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
