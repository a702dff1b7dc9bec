"""The proportions of a design relative to a preset, and sizes that keep them.

The depths and widths of a family were chosen together. A design with eight times the depth and an
eighth of the width costs about the same, but trains badly and is untested. So recommendations keep
the ratios to a preset within a factor of two. Widths are hardware-friendly: multiples of 8 with
three significant bits (64, 80, 96, 112, 128, 160, ...), with head widths of the presets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from studio.analysis.cost.scaling import axes
from studio.family import Design, Family
from studio.knobs import DesignError, Knob

MAX_SPREAD = 1.0  # octaves between the largest and the smallest ratio to a preset
BITS = 3  # significant bits of a width: neighbours differ by a factor of 1.25 at most
MULTIPLE = 8  # of a width, in channels or features
EVEN, BY_FOUR = 16, 32  # blocks, above which a depth is even, or a multiple of four
COARSE = 0.05  # multipliers with a finer step are taken from the presets
KV_HEADS = "num_kv_heads"
TINY = 1e-9


def size_knobs(design: Design) -> dict[str, Knob]:
    """The depth and width knobs of a design, by name."""
    return {
        name: knob
        for name, knob in design.knobs.items()
        if knob.axis in ("depth", "width") and not knob.options
    }


def spread(design: Design, base: Design) -> float:
    """Octaves between the largest and the smallest ratio of a depth or width to that of `base`;
    infinite if the two have different stages.

    A depth of 1 cannot shrink, so it is ignored if everything else shrinks.
    """
    here, there = size_knobs(design), size_knobs(base)
    if {name: len(_entries(design.value(name))) for name in here} != {
        name: len(_entries(base.value(name))) for name in there
    }:
        return math.inf
    pairs = [
        (knob.axis, new, old)
        for name, knob in here.items()
        for new, old in zip(_entries(design.value(name)), _entries(base.value(name)), strict=True)
        if knob.axis == "depth" or knob.kind is float or old >= MULTIPLE
    ]
    octaves = [math.log2(new / old) for _, new, old in pairs]
    free = [
        octave
        for octave, (axis, new, old) in zip(octaves, pairs, strict=True)
        if not (axis == "depth" and new == old == 1)
    ]
    low = min(octaves, default=0.0)
    return max(free, default=low) - low


def distance(design: Design) -> float:
    """Octaves from the proportions of the nearest preset of the family."""
    family = design.family
    return min(spread(design, Design(family, preset.config)) for preset in family.presets)


def _entries(value: Any) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def round_width(value: float) -> int:
    """The nearest width with three significant bits, a multiple of 8."""
    unit = _unit(value)
    return max(MULTIPLE, math.floor(value / unit + 0.5) * unit)


def _unit(width: float) -> int:
    return max(MULTIPLE, int(2 ** (math.floor(math.log2(max(width, 1))) - BITS + 1)))


def round_depth(value: float) -> int:
    """The nearest number of blocks, even above 16 and a multiple of four above 32."""
    unit = 1 if value <= EVEN else 2 if value <= BY_FOUR else 4
    return max(1, math.floor(value / unit + 0.5) * unit)


def width_factors(base: Design, low: float, high: float) -> tuple[float, ...]:
    """The factors between `low` and `high` that give hardware-friendly widths, increasing."""
    knob = next((k for k in size_knobs(base).values() if k.axis == "width"), None)
    if knob is None:
        return (1.0,)
    here = max(_entries(base.value(knob.name)))
    known = {here, *_usual(base.family, knob, here * low, here * high)}
    return tuple(sorted(w / here for w in known if low - TINY <= w / here <= high + TINY))


def _usual(family: Family, knob: Knob, low: float, high: float) -> Iterator[float]:
    if knob.kind is float:
        yield from _multipliers(family, knob)
        return
    value = round_width(low)
    while value <= high:
        yield value
        value += _unit(value)


def _multipliers(family: Family, knob: Knob) -> list[float]:
    """The values of a multiplier: those of the presets, and all steps if they are coarse."""
    found = {Design(family, p.config).value(knob.name) for p in family.presets}
    step = knob.step or 0.0
    if step >= COARSE and knob.ge is not None and knob.le is not None:
        count = math.floor((knob.le - knob.ge) / step + TINY)
        found |= {round(knob.ge + k * step, 3) for k in range(count + 1)}
    return sorted(found)


def resize(base: Design, depth: float, width: float) -> Design | None:
    """`base` with its depth and width scaled by about these factors, at rounded values and with
    published head widths; None if that is invalid or its spread exceeds MAX_SPREAD."""
    settings: dict[str, Any] = {}
    for name, knob in size_knobs(base).items():
        factor = depth if knob.axis == "depth" else width
        settings[name] = _times(base.family, knob, base.value(name), factor)
    try:
        settings |= _heads(base, settings)
        config = base.family.fitted(
            base.config, {k: v for k, v in settings.items() if _new(base, k, v)}
        )
    except (DesignError, ValueError):
        return None
    found = Design(base.family, config)
    asked = all(found.value(name) == value for name, value in settings.items())
    return found if asked and spread(found, base) <= MAX_SPREAD + TINY else None


def _new(base: Design, name: str, value: Any) -> bool:
    return bool(base.value(name) != value)


def _times(family: Family, knob: Knob, value: Any, factor: float) -> Any:
    """A value of a knob times a factor, rounded."""
    if abs(factor - 1) < TINY:
        return value
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0], lengths=())
        return tuple(_times(family, entry, one, factor) for one in value)
    if knob.kind is float:
        return min(_multipliers(family, knob), key=lambda known: abs(known - value * factor))
    if knob.axis == "depth":
        return knob.clamp(round_depth(value * factor))
    return knob.clamp(round_width(value * factor)) if value >= MULTIPLE else value


def _heads(base: Design, widths: dict[str, Any]) -> dict[str, int]:
    """The numbers of heads for new widths. Raises DesignError if there is none."""
    found: dict[str, int] = {}
    first = axes(base).get("width")
    last = first.name if first else ""
    for name, knob in base.knobs.items():
        if knob.axis == "width" and "." in name and name in widths:
            last = name
        if knob.axis != "heads" or knob.options or not last:
            continue
        old, new = base.value(last), widths[last]
        found[name] = _heads_of(base, name, old, new)
        if KV_HEADS in base.knobs and name == "num_heads":
            found[KV_HEADS] = _share(base.value(KV_HEADS), found[name], base.value(name))
    return found


def _heads_of(base: Design, name: str, old: int, new: int) -> int:
    """The number of heads that keeps the head width, or else gives that of another preset."""
    heads = base.value(name)
    if heads * new % old == 0:
        return int(heads * new // old)
    if "head_dim" not in base.knobs and "." not in name:
        for wide in sorted(head_dims(base.family), key=lambda d: abs(math.log(d * heads / old))):
            if new % wide == 0:
                return new // wide
    raise DesignError(f"no published width of a head divides {new}", knob=name)


def _share(kv_heads: int, heads: int, before: int) -> int:
    """The number of key and value heads that keeps the group size."""
    if kv_heads * heads % before:
        raise DesignError(f"{heads} heads cannot be grouped as before", knob=KV_HEADS)
    return max(1, kv_heads * heads // before)


@lru_cache(maxsize=64)
def head_dims(family: Family) -> frozenset[int]:
    """The head widths of the presets of a family."""
    found = set()
    for preset in family.presets:
        design = Design(family, preset.config)
        width, heads = axes(design).get("width"), axes(design).get("heads")
        if width and heads and not isinstance(design.value(width.name), tuple):
            found.add(design.value(width.name) // design.value(heads.name))
    return frozenset(found)


def depth_factors(base: Design, around: float) -> tuple[float, ...]:
    """Factors of the depth of `base` to try: 1, then others by distance from `around`, without
    those that give the same numbers of blocks."""
    near = [around * 2 ** (k / 4) for k in (0, -1, 1, -2, 2, -3, 3)]
    seen: dict[tuple[Any, ...], float] = {}
    for factor in (1.0, *near):
        blocks = tuple(
            _times(base.family, knob, base.value(name), factor)
            for name, knob in size_knobs(base).items()
            if knob.axis == "depth"
        )
        seen.setdefault(blocks, factor)
    return tuple(seen.values())
