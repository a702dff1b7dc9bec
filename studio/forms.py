"""A design outside the studio: its code, its picture, its data, and the subject of a measurement.

The text that is measured is the text that is exported, so the two are made in one place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from studio.analysis.graph import graph
from studio.analysis.memory import largest_batch, peak
from studio.analysis.profile import profile
from studio.drawing.dot import dot
from studio.drawing.layout import layout
from studio.drawing.svg import svg
from studio.export.script import Script, script
from studio.family import Design, DesignError
from studio.knobs import Mode, quoted
from studio.measure.memory import admit
from studio.measure.request import MeasureError, Subject, unsuited

T = TypeVar("T")


def export(design: Design, form: str = "script", link: str = "") -> str:
    """The design as text in one of `FORMS`; `link` is what the script says reopens it.

    Raises DesignError, which lists the forms, for any other.
    """
    known = tuple(FORMS)
    if form not in known:
        raise DesignError(
            f"there is no form {quoted(form)}; the forms are {', '.join(known)}",
            knob="form",
            value=form,
            nearest=known,
        )
    return FORMS[form](design, link)


def standalone(design: Design, link: str = "") -> Script:
    """The design as one file that needs torch alone and asserts the figures of its profile."""
    figures = profile(design)
    return script(
        design,
        params=figures.params,
        macs=figures.macs,
        output_shapes=figures.output_shapes,
        link=link,
    )


def subject(
    design: Design, batch: int = 1, mode: Mode = "inference", layout: str = "contiguous"
) -> Subject:
    """What is measured of a design. Raises MeasureError where it cannot be, as `obstacle` says."""
    if why := obstacle(design, batch, mode, layout):
        raise MeasureError(why)
    code = standalone(design)
    return Subject(code.text, code.config, code.model)


def obstacle(
    design: Design, batch: int = 1, mode: Mode = "inference", layout: str = "contiguous"
) -> str:
    """Why it cannot be measured, in one sentence: its inputs cannot have the layout, or this
    machine's memory is too small (with the nearest that fits); empty where it can. Takes
    milliseconds, of a giant up to a second; a training step (by Adam, which needs most) is
    simulated first, which takes 0.1 to 6 s, once."""
    if why := misfit(design, batch, layout):
        return why
    step = "a training step of " if mode == "training" else ""
    return refusal(
        _needed(design, batch, mode),
        f"{step}{design.title} at batch={batch}",
        lambda room: _nearest(design, batch, room, mode),
    )


def misfit(design: Design, batch: int, layout: str) -> str:
    """Why the design's inputs cannot have the layout, in one sentence; empty where they can."""
    return unsuited(profile(design, batch).inputs, layout)


def refusal(needed_bytes: int, what: str, nearest: Callable[[float], str] = lambda room: "") -> str:
    """What `admit` says of that which does not fit; empty where it fits."""
    try:
        admit(needed_bytes, what, nearest)
    except MeasureError as refused:
        return str(refused)
    return ""


def exhausted(
    design: Design, batch: int, said: MeasureError, mode: Mode = "inference"
) -> MeasureError:
    """What to say of memory that ran out against the prediction: with what needs half as much."""
    nearest = _nearest(design, batch, _needed(design, batch, mode) / 2, mode)
    advice = f"; half as much takes {nearest}" if nearest else ""
    return MeasureError(f"{design.title} at batch={batch}: {said}{advice}")


def _nearest(design: Design, batch: int, room: float, mode: Mode = "inference") -> str:
    """The largest batch whose tensors take at most `room` bytes; where there is none, the first
    axis along which one example fits, and how far down."""
    if fewer := _fewer(design, batch, room, mode):
        return f"batch={fewer}"
    alone = " with batch=1" if batch > 1 else ""
    for knob in design.knobs.values():
        lower = design.below(knob.name) if knob.axis else []
        if found := _largest(lower, lambda smaller: _needed(smaller, 1, mode) <= room):
            return f"{knob.name}={knob.text(found.value(knob.name))}{alone}"
    return ""


def _fewer(design: Design, batch: int, room: float, mode: Mode) -> int:
    """The largest batch below this one that fits, 0 where there is none."""
    if mode == "training":
        return min(batch - 1, largest_batch(design, room, mode))
    fits = _largest(range(batch - 1, 0, -1), lambda fewer: _needed(design, fewer, mode) <= room)
    return fits or 0


def _largest(cases: Sequence[T], fits: Callable[[T], bool]) -> T | None:
    """The first of these that fits, where each needs less than the one before."""
    if not cases or not fits(cases[-1]):
        return None
    return cases[bisect_left(cases, True, key=fits)]


def _needed(design: Design, batch: int, mode: Mode) -> int:
    """The peak in bytes. The layer tree knows that of inference as well as a simulation does."""
    if mode == "training":
        return peak(design, batch, mode).total
    return profile(design, batch).inference_bytes


def _script(design: Design, link: str) -> str:
    return standalone(design, link).text


def _svg(design: Design, link: str) -> str:
    return svg(layout(graph(profile(design).root)), theme="paper") + "\n"


def _dot(design: Design, link: str) -> str:
    return dot(graph(profile(design).root))


def _json(design: Design, link: str) -> str:
    return design.to_json() + "\n"


FORMS: Mapping[str, Callable[[Design, str], str]] = MappingProxyType(
    {"script": _script, "svg": _svg, "dot": _dot, "json": _json}
)
