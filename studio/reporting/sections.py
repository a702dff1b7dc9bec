"""The report on a design: task, architecture, structure, cost and expected performance.

Every figure comes from the profile of the design, from a cited source, or from a measurement with
its conditions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio import exports
from studio.advice import modality
from studio.advice.budget import cost, format_amount
from studio.advice.choice_text import as_clause
from studio.advice.questions import LIMITS, SETTINGS
from studio.advice.ranking import EXAMPLES_NEEDED
from studio.advice.recommend import GOOD_FIT, Choice
from studio.advice.requirements import Brief
from studio.analysis import units
from studio.analysis.cost.profiler import Profile, profile
from studio.analysis.cost.starved_norm import training_memory_text
from studio.bench.results import Measurement
from studio.family import Design, Preset
from studio.reporting import latency_text
from studio.reporting.cost import cost_section
from studio.reporting.document import (
    Block,
    Code,
    Listing,
    Paragraph,
    Piece,
    Points,
    Report,
    Section,
    Table,
    Text,
    parse_markup,
    percent,
)
from studio.reporting.expectations import expectations_section
from studio.reporting.structure import count_text, structure_section
from studio.tasks import Task
from studio.version import __version__

TASK_TEXTS: dict[Task, str] = {
    "classification": "assign each example a class",
    "detection": "find the objects in an image, each with a box and a class",
    "segmentation": "assign each pixel of an image a class",
    "instance-segmentation": "outline each object in an image separately",
    "language": "read text, or continue it token by token",
    "time-series": "read values in time order, and classify or forecast them",
    "generation": "generate new examples like the training data",
    "multi-modal": "answer from two kinds of input",
}
NAMES: dict[Task, str] = {
    "detection": "object detection",
    "segmentation": "semantic segmentation",
    "instance-segmentation": "instance segmentation",
    "time-series": "time series",
    "multi-modal": "multi-modal tasks",
}
LIMIT_NAMES = {limit.field: limit.name for limit in LIMITS.values()}
PAPER = re.compile(r"^Paper:\s*(.+?)(?:\n\n|\Z)", re.DOTALL | re.MULTILINE)


def report(
    design: Design,
    batch: int = 1,
    measured: Measurement | None = None,
    brief: Brief | None = None,
    choice: Choice | None = None,
    link: str = "",
) -> Report:
    """The report on a design.

    `measured`: its latency, if known. `brief` and `choice`: the requirements and the recommendation
    that the design comes from. `link`: a URL that reopens the design. Raises DesignError for a
    batch out of range.
    """
    found = profile(design, batch)
    base = choice.preset if choice else design.preset or design.origin or design.base
    return Report(
        title=design.title_for(base) if choice else design.title,
        about=_about(found, measured),
        figures=tuple(_headline(found, measured)),
        sections=(
            Section("1. Task analysis", tuple(_task(found, brief))),
            Section("2. Architecture choice", tuple(_architecture(found, base, choice))),
            structure_section(found),
            cost_section(found, measured),
            expectations_section(found),
        ),
        appendix=Section("Appendix", tuple(_appendix(design, link))),
    )


def _about(found: Profile, measured: Measurement | None) -> str:
    timed = "a training step" if measured and measured.mode == "training" else "a forward pass"
    latency = f"the latency of {timed} is measured" if measured else "latency is not measured"
    return (
        f"Design report: {found.design.family.title}, batch {found.batch}. Parameters and MACs are"
        f" counted on the real model; memory is predicted; {latency}."
    )


def _headline(found: Profile, measured: Measurement | None) -> Iterator[tuple[str, str]]:
    yield "Parameters", units.count(found.params)
    yield "Compute", units.macs(found.macs)
    yield "Inference memory", units.size(found.inference_bytes)
    yield "Training memory", training_memory_text(found)
    yield "Latency", _latency_value(measured) if measured else "not measured"


def _latency_value(measured: Measurement) -> str:
    value, band, under_load = latency_text.format_latency(measured)
    return f"{value} ({band}; {under_load})" if under_load else value


def _task(found: Profile, brief: Brief | None) -> Iterator[Block]:
    design = found.design
    tasks = (brief.task,) if brief else design.family.guide.tasks
    kinds = [f"{NAMES.get(task, task)} ({TASK_TEXTS[task]})" for task in tasks]
    asked = "The task is" if brief else "No task was specified. The family is used for"
    yield Paragraph(f"{asked} {' and '.join(kinds)}.")
    yield from _dimensions(found)
    yield from _requirements(found, brief)


def _dimensions(found: Profile) -> Iterator[Block]:
    design = found.design
    forward = getattr(design.family.model, "forward", None)
    doc = (forward.__doc__ if forward else "") or design.family.example.__doc__ or ""
    mapping = re.sub(r"\s+", " ", doc.strip().split("\n\n")[0])
    sentences: list[Piece] = []
    if mapping:  # a composition has no forward of its own
        sentences += ["The network maps ", *parse_markup(as_clause(mapping)), ". "]
    if known := modality.task_settings(design, SETTINGS):
        texts = [f"{name}={design.knobs[name].label(design.value(name))}" for name in known]
        codes = [piece for text in texts for piece in (", ", Code(text))][1:]
        sentences += ["Determined by the task: ", *codes, "."]
    if sentences:
        yield Paragraph(tuple(sentences))
    shapes = [*_numbered("input", found.inputs), *_numbered("output", found.output_shapes)]
    head = ("Tensor", "Shape")
    yield Table(f"Dimensions at batch {found.batch}", head, tuple(shapes), frozenset({1}))


def _numbered(name: str, shapes: tuple[tuple[int, ...], ...]) -> Iterator[tuple[str, str]]:
    for number, shape in enumerate(shapes, 1):
        yield f"{name} {number}" if len(shapes) > 1 else name, units.shape(shape)


def _requirements(found: Profile, brief: Brief | None) -> Iterator[Block]:
    amount = found.design.family.guide.data
    enough = (
        f"about {units.round_count(EXAMPLES_NEEDED[amount])}"
        if EXAMPLES_NEEDED[amount]
        else "a few hundred"
    )
    wants = f"The family needs {enough} training examples"
    have = f"; there are {brief.examples:,}" if brief and brief.examples is not None else ""
    if not brief or not brief.limits.given:
        yield Paragraph(f"No limit on the cost was set. {wants}{have}.")
        return
    rows = tuple(_requirement(found, name, limit) for name, limit in brief.limits.given.items())
    head = ("Limit on", "At most", "This design", "Used")
    yield Table(f"Requirements, at batch {brief.batch}", head, rows)
    yield Paragraph(f"{wants}{have}.")


def _requirement(found: Profile, name: str, limit: int) -> tuple[Text, ...]:
    here = cost(found, name)
    return (
        LIMIT_NAMES.get(name, name),
        format_amount(name, limit),
        format_amount(name, here),
        percent(here, limit),
    )


def _architecture(found: Profile, base: Preset, choice: Choice | None) -> Iterator[Block]:
    family = found.design.family
    guide = family.guide
    lesson = " ".join(family.lesson.strip().split("\n\n")[0].split())
    use = (" Use it when ", *parse_markup(as_clause(guide.use_when)), ".")
    yield Paragraph((f"The design is based on {family.title}. ", *parse_markup(lesson), *use))
    if paper := PAPER.search(family.lesson):
        yield Paragraph(f"Paper: {' '.join(paper[1].split())}.")
    if choice:
        own = [reason for reason in choice.reasons if not reason.startswith(GOOD_FIT)]
        yield Paragraph("Reasons for it:")
        yield Points(tuple(parse_markup(reason) for reason in (*own, *guide.strengths)))
        yield Paragraph("Reasons against it:")
        yield Points(tuple(parse_markup(doubt) for doubt in (*choice.doubts, *choice.notes)))
    else:
        yield Paragraph("Strengths:")
        yield Points(tuple(map(parse_markup, guide.strengths)))
    yield from _changes(found, base)


def _changes(found: Profile, base: Preset) -> Iterator[Block]:
    """The changes from the preset."""
    design = found.design
    learned = (
        "" if found.trainable_params == found.params else f", {found.trainable_params:,} trainable"
    )
    stored = f"{units.size(found.parameter_bytes)} in float32"
    count = f"{found.params:,} parameters{learned}, {stored}"
    if not design.changes(base):
        published = _published_count(found, base)
        yield Paragraph(f"The design is the unmodified preset {base.name}: {count}. {published}")
        return
    origin = profile(Design(design.family, base.config), found.batch)
    knobs = design.knobs
    rows = tuple(
        ((Code(name),), was, here, knobs[name].help)
        for name, was, here in design.differences(base.config)
    )
    changed = count_text(len(rows), "knob", "knobs")
    head = ("Knob", "Preset", "This design", "Meaning")
    yield Table(f"Changes from {base.name}", head, rows, words=frozenset({1, 2, 3}))
    yield Paragraph(
        f"The design is {base.name} with {changed} changed. It has {count}:"
        f" {_ratio(found.params, origin.params)} the {origin.params:,} of {base.name}, with"
        f" {_ratio(found.macs, origin.macs)} its MACs. {_published_count(origin, base)}"
    )


def _ratio(here: int, before: int) -> str:
    return f"{here / before:.3g} times" if before else "beside"


def _published_count(found: Profile, preset: Preset) -> str:
    """The published parameter count of a preset with its source, and whether it matches."""
    if preset.params is None:
        return f"There is no published count for {preset.name} ({preset.source})."
    agrees = (
        "it matches" if preset.params == found.params else f"the studio counts {found.params:,}"
    )
    return (
        f"The published count for {preset.name} is {preset.params:,} ({preset.source}); {agrees}."
    )


def _appendix(design: Design, link: str) -> Iterator[Block]:
    reopen = link or f"?{design.query}"
    yield Paragraph(("Reopen the design in the studio: ", link or Code(reopen)))
    yield Paragraph(f"Written by the neural architecture studio {__version__}.")
    yield Listing("The design as data (JSON)", "json", design.to_json() + "\n")
    code = exports.standalone_script(design, link).text
    lines = code.count("\n")
    yield Listing(f"The model as one file that needs only torch ({lines} lines)", "python", code)
