"""A design outside the studio: its code, its picture, its data, and the subject of a measurement.

The text that is measured is the text that is exported, so the two are made in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from studio.analysis.graph import graph
from studio.analysis.profile import profile
from studio.drawing.dot import dot
from studio.drawing.layout import layout
from studio.drawing.svg import svg
from studio.export.script import Script, script
from studio.family import Design, DesignError
from studio.measure.memory import admit
from studio.measure.request import Subject


def export(design: Design, form: str = "script", link: str = "") -> str:
    """The design as text in one of `FORMS`; `link` is what the script says reopens it.

    Raises DesignError, which lists the forms, for any other.
    """
    if form not in FORMS:
        known = tuple(FORMS)
        raise DesignError(
            f"there is no form {form[:60]!r}; the forms are {', '.join(known)}",
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


def subject(design: Design, batch: int = 1) -> Subject:
    """What is measured of a design. Raises MeasureError where the memory is too small for it."""
    admit(profile(design, batch).inference_bytes, f"{design.title} at batch {batch}")
    code = standalone(design)
    return Subject(code.text, code.config, code.model)


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
