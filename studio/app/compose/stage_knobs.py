"""What the knob panel of the open stage shows: its knobs, and the earlier stages that it joins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from studio.app.knob_panel import contents
from studio.app.knob_panel.labels import Label, label
from studio.app.knob_panel.rows import Row, Section
from studio.knobs import Knob
from studio.stages.stage import JOINS
from studio.workbench.compose import composition
from studio.workbench.compose.composition import Stages
from studio.workbench.page.state import State


def stage_sections(now: State) -> tuple[Section, ...]:
    """The knobs of the open stage."""
    if not now.design.family.is_composed:
        return ()
    stages, i = now.stages, composition.index(now.stages, now.place)
    return (Section("", tuple(stage_rows(now, stages, i))),)


def stage_rows(now: State, stages: Stages, i: int) -> Iterator[Row]:
    stage, place = stages[i], composition.place(stages, i)
    for knob in composition.knobs_of(stage).values():
        one = replace(knob, name=f"{place}.{knob.name}")
        value = getattr(stage, knob.name)
        if knob.name in JOINS:
            yield joins(now, stages[:i], one, value)
        else:
            yield from contents.rows(now, one, value, f"{type(stage).__name__}.")


def joins(now: State, before: Stages, knob: Knob, value: Any) -> Row:
    """A list of the earlier stages for each one that is joined."""
    name = knob.name.rpartition(".")[2]
    row = Row(
        id=f"joins.{knob.name}",
        knob=knob.name,
        kind="list",
        label=label(knob.help, name),
        value=value,
        name=name,
        help=knob.help,
        note=now.notes.get(knob.name, ""),
    )
    if not isinstance(value, tuple):
        return replace(row, options=earlier(before, value))
    skips = (
        replace(
            row,
            id=f"{row.id}.{n}",
            label=Label(f"skip {n + 1}"),
            value=number,
            options=earlier(before, number),
            entry=n,
            name="",
            help="",
            note="",
        )
        for n, number in enumerate(value)
    )
    inner = (contents.length(row, knob, value), *skips)
    return replace(row, kind="group", value=None, rows=inner)


def earlier(before: Stages, here: int) -> tuple[tuple[int, str], ...]:
    """The numbers of the stages before, with their kinds; also a wrong one that is set."""
    named = {n - 1: stage_name(n - 1, other) for n, other in enumerate(before)}
    wrong = {} if here in named else {here: f"{here}: not an earlier stage"}
    return tuple({**wrong, **named}.items())


def stage_name(number: int, stage: Any) -> str:
    return f"{'stem' if number < 0 else number} {type(stage).__name__}"
