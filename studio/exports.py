"""A design outside the studio: its code, its picture, its data, and the subject of a measurement.

The text that is measured is the text that is exported, so the two are made in one place.
"""

from __future__ import annotations

import math
import shlex
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from studio.analysis import units
from studio.analysis.cost.peak_memory import largest_batch, peak_memory
from studio.analysis.cost.profiler import Profile, profile, training_trace
from studio.analysis.cost.starved_norm import batch_too_small, can_train, training_memory_text
from studio.analysis.graph.cost_heatmap import share_bars
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.bench.results import Conditions, Subject, layout_problem
from studio.bench.timing.time_bound import min_duration_s
from studio.codegen.script import Script, script
from studio.drawing.figure import Figure, Heading
from studio.drawing.graph import Graph
from studio.drawing.levels import levels
from studio.drawing.render.formats import FORMATS
from studio.family import Design, DesignError
from studio.knobs import Mode
from studio.process.backend import scheduler_address
from studio.process.errors import MeasureError
from studio.process.free_memory import require_free_memory
from studio.quoting import quoted

T = TypeVar("T")
CONDITIONS = Conditions()


def export(design: Design, form: str = "script", link: str = "", level: int = 0) -> str | bytes:
    """The design in one of `FORMS`, as text or as bytes.

    `link` is what the script and the pictures say reopens it. `level` is how far a picture is
    unfolded. Raises DesignError, which lists the forms or the levels, for any other.
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
    """The picture of a design at batch 1, unfolded to a level. Raises DesignError for one that it
    has not."""
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
    """What stands above a picture; `link`, or a command, opens the design again. `title` is the
    design's, where it is called otherwise than by its preset."""
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
    """What a shell is told to write the design in a form: from the preset that its title names."""
    named = design.preset or design.origin
    settings = design.to_query(named or design.family.presets[0])
    family, preset = settings.pop("family"), settings.pop("preset")
    words = ["studio", "export", family, *(("--preset", preset) if named else ())]
    for knob, value in settings.items():
        words += ["--set", f"{knob}={value}"]
    return shlex.join((*words, "--form", form, *(("--level", f"{level}") if level else ())))


def standalone_script(design: Design, link: str = "") -> Script:
    """The design as one file that needs torch alone and asserts the figures of its profile."""
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


def subject(
    design: Design, conditions: Conditions = CONDITIONS, limit_s: float | None = None
) -> Subject:
    """What is measured of a design. Raises MeasureError where it cannot be, as `obstacle` says."""
    if why := measuring_problem(design, conditions, limit_s):
        raise MeasureError(why)
    return subject_of_script(standalone_script(design))


def subject_of_script(code: Script) -> Subject:
    """What is measured is the text that the reader takes home."""
    return Subject(code.text, code.config, code.model, code.example)


def measuring_problem(
    design: Design, conditions: Conditions = CONDITIONS, limit_s: float | None = None
) -> str:
    """Why it cannot be measured, in one sentence: its inputs cannot have the layout, the device's
    memory is too small, or it cannot end within `limit_s` seconds (by default those of the
    conditions); each with the nearest that works. Empty where it can be measured.
    Takes milliseconds, of a giant up to a second; a training step (by Adam, which needs most) is
    simulated first, which takes 0.1 to 6 s, once."""
    if why := condition_problem(design, conditions):
        return why
    crowded = memory_problem(
        _needed(design, conditions.batch, conditions.mode),
        workload_title(design, conditions),
        conditions.device,
        lambda room: _nearest(design, conditions, room),
    )
    return crowded or time_problem(design, conditions, limit_s)


def workload_title(design: Design, conditions: Conditions) -> str:
    """What is measured, in the words of a refusal."""
    step = "a training step of " if conditions.mode == "training" else ""
    return f"{step}{design.title} at batch={conditions.batch}"


def condition_problem(design: Design, conditions: Conditions) -> str:
    """Why the design cannot run under these conditions at all, in one sentence; empty where it can:
    its inputs cannot have the layout, or a batch is too small to train on."""
    if conditions.mode == "training" and (why := batch_too_small(design, conditions.batch)):
        return why
    return layout_problem(profile(design, conditions.batch).inputs, conditions.layout)


def time_problem(design: Design, conditions: Conditions, limit_s: float | None = None) -> str:
    """Why measuring it cannot end within the limit, in one sentence with a limit that suffices;
    empty where it can. Takes milliseconds, of a giant up to a second."""
    limit, shortest = limit_s or conditions.limit_s, duration_s(design, conditions)
    if shortest <= limit:
        return ""
    return (
        f"{workload_title(design, conditions)} is too slow to time within limit_s={limit:g} on"
        f" {conditions.device}: about {float(f'{shortest:.2g}'):,.0f} s or more;"
        f" limit_s={round_limit_s(shortest):g} works"
    )


def duration_s(design: Design, conditions: Conditions) -> float:
    """About the least that measuring it takes, in seconds; 0 where that is unknown."""
    return min_duration_s(profile(design, conditions.batch).macs, conditions)


def default_limit_s(design: Design, conditions: Conditions) -> float:
    """What it may take where nobody has set a limit: a busy machine is given twice the time."""
    return max(conditions.limit_s, 2 * duration_s(design, conditions))


def round_limit_s(shortest: float) -> float:
    """A round limit, in seconds, for what takes at least so long: 100 for 38 s."""
    power = 10.0 ** math.floor(math.log10(2 * shortest))
    return power * next(step for step in (1, 2, 3, 5, 10) if step * power >= 2 * shortest)


def memory_problem(
    needed_bytes: int,
    what: str,
    device: str = "cpu",
    nearest: Callable[[float], str] = lambda room: "",
) -> str:
    """What `admit` says of that which does not fit; empty where it fits. What a cluster's workers
    have free is not known here: there, the measuring process runs out of memory and says so."""
    if scheduler_address():
        return ""
    try:
        require_free_memory(needed_bytes, what, nearest, device)
    except MeasureError as refused:
        return str(refused)
    return ""


def out_of_memory_error(design: Design, conditions: Conditions, said: MeasureError) -> MeasureError:
    """What to say of memory that ran out against the prediction: with what needs half as much."""
    half = _needed(design, conditions.batch, conditions.mode) / 2
    nearest = _nearest(design, conditions, half)
    advice = f"; half as much takes {nearest}" if nearest else ""
    return MeasureError(f"{design.title} at batch={conditions.batch}: {said}{advice}")


def _nearest(design: Design, conditions: Conditions, room: float = math.inf) -> str:
    """The largest batch that ends in time and whose tensors take at most `room` bytes; where there
    is none, the first axis along which one example does, and how far down."""
    if fewer := _fewer(design, conditions, room):
        return f"batch={fewer}"

    def works(smaller: Design) -> bool:
        return _ends(smaller, 1, conditions) and _fits(smaller, 1, conditions.mode, room)

    alone = " with batch=1" if conditions.batch > 1 else ""
    for knob in design.knobs.values():
        lower = design.below(knob.name) if knob.axis else []
        if found := _largest(lower, works):
            return f"{knob.name}={knob.text(found.value(knob.name))}{alone}"
    return ""


def _fewer(design: Design, conditions: Conditions, room: float) -> int:
    """The largest batch below this one that works, 0 where there is none."""
    below, mode = conditions.batch - 1, conditions.mode
    if mode == "training" and room < math.inf:
        below, room = min(below, largest_batch(design, room, mode)), math.inf
    works = _largest(
        range(below, 0, -1),
        lambda fewer: _ends(design, fewer, conditions) and _fits(design, fewer, mode, room),
    )
    return works or 0


def _ends(design: Design, batch: int, conditions: Conditions) -> bool:
    """Whether it may be measured within its time limit."""
    return duration_s(design, replace(conditions, batch=batch)) <= conditions.limit_s


def _fits(design: Design, batch: int, mode: Mode, room: float) -> bool:
    return room == math.inf or _needed(design, batch, mode) <= room


def _largest(cases: Sequence[T], fits: Callable[[T], bool]) -> T | None:
    """The first of these that fits, where each needs less than the one before."""
    if not cases or not fits(cases[-1]):
        return None
    return cases[bisect_left(cases, True, key=fits)]


def _needed(design: Design, batch: int, mode: Mode) -> int:
    """The peak in bytes."""
    return peak_memory(design, batch, mode).total


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
