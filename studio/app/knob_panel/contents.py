"""What the knob panels show of a state: the design's knobs by scaling axis, and its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, get_args

from studio.app.knob_panel.labels import Label, label
from studio.app.knob_panel.rows import Kind, Mark, Row, Section
from studio.app.knob_panel.tracks import track
from studio.family import BATCH, Design
from studio.knobs import Axis, Knob
from studio.records import RecordKnob, value_of
from studio.workbench.page.state import State
from studio.workbench.page.turn import LENGTH
from studio.workbench.workload import CONDITIONS, DEVICE

ONE_LINE = 34  # characters of options that fit side by side
DEVICE_HELP = "Device to benchmark on; a CPU uses one thread"
SETTINGS = {
    BATCH.name: "Batch",
    "mode": "Mode",
    "dtype": "Data type",
    "layout": "Memory layout",
    "compiled": "Compiled",
    DEVICE: "Device",
}


def design_sections(now: State, devices: Sequence[str]) -> tuple[Section, ...]:
    """All knobs of the design by axis, stages excepted; the batch; the settings of benchmarks."""
    found = [Section(axis.capitalize(), tuple(knob_rows(now, axis))) for axis in get_args(Axis)]
    found.append(Section("More", tuple(knob_rows(now, None)), folded=True))
    found.append(Section("", (setting_row(now, BATCH),)))
    found.append(Section("Benchmark settings", tuple(condition_rows(now, devices)), folded=True))
    return tuple(section for section in found if section.rows)


def knob_rows(now: State, axis: Axis | None) -> Iterator[Row]:
    for knob in now.design.family.knobs.values():
        if knob.axis == axis and not isinstance(knob, RecordKnob):
            yield from rows(now, knob, now.design.value(knob.name))


def condition_rows(now: State, devices: Sequence[str]) -> Iterator[Row]:
    """How a benchmark is run, and on which device if there are several."""
    for knob in CONDITIONS.values():
        if knob.name != BATCH.name:
            yield setting_row(now, knob)
    if len(devices) > 1:
        yield setting_row(
            now, Knob(name=DEVICE, default=devices[0], help=DEVICE_HELP, options=tuple(devices))
        )


def setting_row(now: State, knob: Knob) -> Row:
    """A setting of the workload."""
    row = control(now, knob, getattr(now.workload, knob.name), knob.name)
    return replace(row, label=Label(SETTINGS[knob.name]), name="")


def rows(now: State, knob: Knob, value: Any, within: str = "") -> Iterator[Row]:
    """A knob, and the size that is linked to it. `within` is the kind of the stage that has it."""
    id = f"{now.design.family.key}.{within}{knob.name}"
    yield (
        entries(now, knob, value, id) if isinstance(value, tuple) else control(now, knob, value, id)
    )
    if knob.size and "." not in knob.name:
        yield size(now, knob)


def control(now: State, knob: Knob, value: Any, id: str) -> Row:
    """A flag, one of several options, or a number on its track."""
    row = _row(now, knob, value, id)
    if isinstance(value, bool):
        return replace(row, kind="toggle")
    if knob.options:
        names = [knob.text(option) for option in knob.options]
        text = knob.text(value)
        return replace(
            row, kind=_choice(names), value=text, options=tuple((name, name) for name in names)
        )
    known = (*preset_values(now, knob), *(mark.value for mark in row.marks))
    return replace(row, kind="range", track=track(knob, value, known))


def _choice(names: Iterable[str]) -> Kind:
    """Side by side if they fit on one line, else as a list."""
    return "choice" if sum(len(name) + 4 for name in names) <= ONE_LINE else "list"


def size(now: State, ratio: Knob) -> Row:
    """The size that is linked to a ratio: typed in, without a slider."""
    knob = now.design.family.knob(now.design.config, ratio.size)
    value = now.design.value(ratio.size)
    row = _row(now, knob, value, f"{now.design.family.key}.{ratio.size}")
    named = label(ratio.help.partition(" over ")[0], ratio.size)
    return replace(row, label=named, marks=(), track=track(knob, value))


def entries(now: State, knob: Knob, value: tuple[int, ...], id: str) -> Row:
    """A tuple: its length if that may vary, and a slider for each entry."""
    row = _row(now, knob, value, id)
    known, marks = list(preset_values(now, knob)), row.marks
    inner = [length(row, knob, value)] if len(knob.lengths) > 1 else []
    for i, entry in enumerate(value):
        seen = {preset[i] for preset in known if i < len(preset)}
        inner.append(
            Row(
                id=f"{id}.{i}",
                knob=knob.name,
                kind="range",
                label=Label(f"stage {i + 1}" if "." not in knob.name else f"{i + 1}"),
                value=entry,
                track=track(replace(knob, default=knob.default[0]), entry, seen),
                marks=tuple(
                    replace(mark, value=mark.value[i])
                    for mark in marks
                    if isinstance(mark.value, tuple) and i < len(mark.value)
                ),
                entry=i,
            )
        )
    return replace(row, kind="group", value=None, marks=(), rows=tuple(inner))


def length(row: Row, knob: Knob, value: tuple[int, ...]) -> Row:
    """The number of entries of a tuple."""
    return Row(
        id=f"{row.id}.length",
        knob=knob.name,
        kind=_choice(map(str, knob.lengths)),
        label=Label("Number"),
        value=len(value),
        options=tuple((n, str(n)) for n in knob.lengths),
        entry=LENGTH,
    )


def _row(now: State, knob: Knob, value: Any, id: str) -> Row:
    """What all rows of a knob have; a number without a track as yet."""
    name = knob.name.rpartition(".")[2]
    words = label(knob.help, name)
    return Row(
        id=id,
        knob=knob.name,
        kind="number",
        label=words,
        value=value,
        name=name if name != words.text.lower() else "",
        help=knob.help,
        note=now.notes.get(knob.name, ""),
        marks=tuple(marks(now, knob.name, value)),
    )


def marks(now: State, name: str, value: Any) -> Iterator[Mark]:
    """What a knob of the design, or of a stage of the same kind, is in the preset and in pinned
    designs of the family."""
    if name not in now.design.knobs or isinstance(value, (bool, str, type)):
        return
    if now.invalid_composition and "." in name:
        return  # the design is the last valid one, with other stages
    family = now.design.family
    known = [(now.preset.config, now.preset.name)] if now.preset in family.presets else []
    for pin in now.pins:
        if pin.design.family is family:
            known.append((pin.design.config, f"pinned: {pin.design.title}"))
    for config, owner in known:
        if _has(config, now.design, name):
            yield Mark(value_of(config, name), owner)


def _has(config: Any, design: Design, name: str) -> bool:
    """Whether a config has this knob at the same place, of a stage of the same kind."""
    place = name.rpartition(".")[0]
    if not place:
        return True
    try:
        return type(value_of(config, place)) is type(value_of(design.config, place))
    except (AttributeError, IndexError):
        return False


def preset_values(now: State, knob: Knob) -> Iterator[Any]:
    """Values of the family's presets; none for knobs of stages, which differ between presets."""
    known = now.design.family.presets if knob.name in now.design.family.knobs else ()
    return (getattr(preset.config, knob.name) for preset in known)
