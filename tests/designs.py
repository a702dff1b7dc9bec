"""Designs to test with: a family's smallest member, and its corners, one knob at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from studio.family import Design, Family
from studio.knobs import DesignError, Knob
from studio.records import RecordKnob


def small(family: Family) -> Design:
    """A member that runs in milliseconds: depth, width, heads, resolution as low as they go.

    It starts from the default preset and keeps its structural choices. Lowering one knob can free
    another (fewer heads allow a narrower token), so it goes round until nothing moves.
    """
    design, before = family.design(), None
    while design != before:
        before = design
        for knob in tuple(design.knobs.values()):
            design = _lowest(design, knob)
    return design


def corners(family: Family, start: Design | None = None) -> Iterator[tuple[str, Design]]:
    """Every knob at its ends and at each option, one at a time, as (label, design).

    From `start`, by default the first preset. An end that breaks a rule becomes the nearest legal
    design, as the slider does it; a kind of record that does not fit there at all is left out. What
    comes out equal to an earlier one is left out too.
    """
    start = start or family.design()
    seen = {start}
    for knob in start.knobs.values():
        for value in ends(knob):
            design = turned(start, knob, value)
            if design not in seen:
                seen.add(design)
                yield f"{knob.name}={knob.text(value)}", design


def turned(design: Design, knob: Knob, value: Any) -> Design:
    """The design with a knob turned as the slider does it; as it was where no such record fits."""
    try:
        return Design(design.family, design.family.snap(design.config, knob.name, value).config)
    except DesignError:
        if isinstance(knob, RecordKnob) or "." in knob.name:  # another row needs it as it is
            return design
        raise


def options(family: Family) -> Iterator[tuple[str, Design]]:
    """The smallest member, and the same with each structural choice, as (label, design)."""
    start = small(family)
    yield "the smallest", start
    for label, design in corners(family, start):
        knob = start.knobs[label.split("=")[0]]
        if knob.options or isinstance(knob.default, bool):
            yield label, design


def ends(knob: Knob) -> tuple[Any, ...]:
    """The extreme values of a knob: each option, both flags, or the least and the greatest.

    Of records each kind: in place of one, before those of a tuple.
    """
    limits = tuple(limit for limit in (knob.ge, knob.le) if limit is not None)
    if isinstance(knob, RecordKnob):
        kinds = tuple(kind() for kind in knob.options)
        many = isinstance(knob.default, tuple)
        return tuple((kind, *knob.default) for kind in kinds) if many else kinds
    if knob.options or isinstance(knob.default, bool):
        return knob.options or (False, True)
    if isinstance(knob.default, tuple):
        lengths = knob.lengths or (len(knob.default),)
        return tuple((int(knob.clamp(v)),) * n for n in lengths for v in limits)
    return tuple(knob.clamp(limit) for limit in limits)


def tensors(outputs: Any) -> list[Tensor]:
    """Every tensor of a model's outputs, in their order, however they are nested."""
    if isinstance(outputs, Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for part in parts for tensor in tensors(part)]


def _lowest(design: Design, knob: Knob) -> Design:
    """The design with this knob as low as the rules let it go. Options, flags and rates stay."""
    value = design.value(knob.name)
    if isinstance(value, tuple) and not knob.options:
        return _replaced(design, knob, ends(knob)[0]) or design
    if knob.options or knob.axis is None or knob.kind is bool or knob.ge is None:
        return design
    least = knob.clamp(knob.ge)
    lower = sorted(v for v in (least, *knob.near(least)) if v < value)
    return next((d for v in lower if (d := _replaced(design, knob, v))), design)


def _replaced(design: Design, knob: Knob, value: Any) -> Design | None:
    try:
        return design.replace(**{knob.name: value})
    except DesignError:
        return None
