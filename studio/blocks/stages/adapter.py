"""Rows put in by rule, which lead from one kind of tensor to the other where two rows need one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from studio.blocks.stages.clip import FrameTokens
from studio.blocks.stages.fit import joined, memory_of, passed, placed, sources
from studio.blocks.stages.flow import STEM, Flow, Map, Row, Tokens
from studio.blocks.stages.head import ClassTokenHead
from studio.blocks.stages.tokens import ToMap, ToTokens
from studio.records import JOINS


def adapted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with a row that leads from one kind of tensor to the other wherever two rows
    need one. Raises ValueError, by the numbers that the stages had."""
    rows = (*settings["stages"], settings["head"])
    flows = sources(settings["stem"], memory_of(rows))
    numbers = {number: number for number in flows}  # where each stage comes to stand
    made: list[Row] = []
    x = flows[STEM]
    for i, row in enumerate(rows):
        with placed(i, rows):
            for step in (*adapters(x, rows[i:]), row):
                x = passed(step, x, flows)
                made.append(renumbered(step, numbers))
        flows[i], numbers[i] = x, len(made) - 1
    return {**settings, "stages": tuple(made[:-1]), "head": made[-1]}


def adapters(x: Flow, rows: Sequence[Row]) -> tuple[Row, ...]:
    """What makes of x the kind of tensor that the first of these rows takes, where something can;
    with a token for the class where the last of them reads one."""
    if isinstance(x, rows[0].takes):
        return ()
    if isinstance(x, Tokens):
        return (ToMap(),) if x.grid else ()
    read = isinstance(rows[-1], ClassTokenHead) and all(row.takes is not Map for row in rows)
    return (ToTokens(class_token=read),) if x.frames == 1 else (FrameTokens(),)


def renumbered(row: Row, numbers: Mapping[int, int]) -> Row:
    """The row where the stages have these new numbers. Raises ValueError where one has none."""
    moved = dict(zip(row.joins, joined(row, numbers), strict=True))
    held = {name: getattr(row, name) for name in JOINS if hasattr(row, name)}
    changes = {
        name: tuple(moved[n] for n in value) if isinstance(value, tuple) else moved[value]
        for name, value in held.items()
    }
    return replace(row, **changes) if changes else row  # type: ignore[type-var]
