"""The forms in which a design is exported: script, figure (SVG, DOT, PNG, HTML), JSON."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType

from studio.analysis import units
from studio.analysis.cost.profiler import Profile, profile, training_trace
from studio.analysis.cost.starved_norm import can_train, training_memory_text
from studio.analysis.graph.cost_heatmap import share_bars
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.codegen.script import Script, script
from studio.drawing.figure import Figure, Heading
from studio.drawing.graph import Graph
from studio.drawing.levels import levels
from studio.drawing.render.formats import FORMATS
from studio.family import Design, DesignError
from studio.quoting import quoted


def export(design: Design, form: str = "script", link: str = "", level: int = 0) -> str | bytes:
    """The design in one of `FORMS`, as text or bytes.

    `link` reopens the design; it is written into scripts and figures. `level` is how many levels of
    blocks a figure expands. Raises DesignError for an unknown form or level, with those that exist.
    """
    known = tuple(FORMS)
    if form not in known:
        raise DesignError(
            f"there is no form {quoted(form)}; the forms are {', '.join(known)}",
            knob="form",
            value=form,
            nearest=known,
        )
    if form in FORMATS:
        return FORMATS[form](figure(design, level, link or export_command(design, form, level)))
    if level:
        raise DesignError(
            f"level applies only to pictures ({', '.join(FORMATS)}); {form} is not one",
            knob="level",
            value=level,
            nearest=(0,),
        )
    return TEXTS[form](design, link)


def figure(design: Design, level: int, link: str) -> Figure:
    """The figure of a design at batch 1, its blocks expanded to `level`.

    Raises DesignError for a level that the design does not have.
    """
    drawn = _graph(design)
    opened = levels(drawn)
    if level not in range(len(opened)):
        last = len(opened) - 1
        nearest = min(max(level, 0), last)
        raise DesignError(
            f"{design.title} has levels 0 to {last}, not {level}; the nearest that works is"
            f" level={nearest}",
            knob="level",
            value=level,
            nearest=(nearest,),
        )
    head = figure_heading(profile(design), link)
    return Figure(graph=drawn, heading=head, opened=opened[level], marks=share_bars(drawn))


def figure_heading(found: Profile, link: str, title: str = "") -> Heading:
    """The heading of a figure: title, costs, and the link or command that reopens the design.

    `title` replaces the title that the preset gives.
    """
    design = found.design
    return Heading(
        title=f"{design.family.title}: {title}" if title else design.full_title,
        figures=(
            f"{units.count(found.params)} parameters",
            units.macs(found.macs),
            f"training memory {training_memory_text(found)} (Adam)"
            if can_train(found)
            else training_memory_text(found),
            f"batch {found.batch}",
        ),
        link=link,
    )


def export_command(design: Design, form: str, level: int) -> str:
    """The shell command that exports the design in this form, from the preset in its title."""
    named = design.preset or design.origin
    settings = design.to_query(named or design.family.presets[0])
    family, preset = settings.pop("family"), settings.pop("preset")
    words = ["studio", "export", family, *(("--preset", preset) if named else ())]
    for knob, value in settings.items():
        words += ["--set", f"{knob}={value}"]
    return shlex.join((*words, "--form", form, *(("--level", f"{level}") if level else ())))


def standalone_script(design: Design, link: str = "") -> Script:
    """The design as one file that needs only torch and asserts the figures of its profile."""
    figures = profile(design)
    return script(
        design,
        params=figures.params,
        macs=figures.macs,
        output_shapes=figures.output_shapes,
        stage_shapes={
            call.name: call.trace.outputs[0] for call in figures.root.calls if call.trace.outputs
        },
        link=link,
    )


def _script(design: Design, link: str) -> str:
    return standalone_script(design, link).text


def _graph(design: Design) -> Graph:
    return build_graph(profile(design).root, stage_titles(design.config), training_trace(design, 1))


def _json(design: Design, link: str) -> str:
    return design.to_json() + "\n"


TEXTS: Mapping[str, Callable[[Design, str], str]] = MappingProxyType(
    {"script": _script, "json": _json}
)
FORMS = ("script", "svg", "dot", "json", "png", "html")
