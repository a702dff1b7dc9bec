"""Labels of scaling axes and of the knobs along them."""

from __future__ import annotations

from studio.family import Design
from studio.knobs import Knob
from studio.records import value_of

TOTALS = {"depths": "total blocks", "widths": "total channels"}


def axis_label(design: Design, axis: str) -> str:
    """`Width`, or for a knob of one stage `2 Transformer · depth`."""
    place, _, knob = axis.rpartition(".")
    if not place:
        return axis.capitalize()
    return f"{place.rpartition('.')[2]} {type(value_of(design.config, place)).__name__} · {knob}"


def knob_label(knob: Knob, design: Design) -> str:
    """The label of an axis that scales a knob; tuples are scaled by their sum."""
    if "." in knob.name:
        return axis_label(design, knob.name)
    return (
        TOTALS.get(knob.name, f"total {knob.name}")
        if isinstance(knob.default, tuple)
        else knob.name
    )
