"""Rows put in by rule, which lead from one kind of tensor to the other where two rows need one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio.records import JOINS
from studio.stages.counterpart import adapters
from studio.stages.stage import STEM, Row
from studio.stages.validate import joined, memory_of, passed, placed, sources


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


def renumbered(row: Row, numbers: Mapping[int, int]) -> Row:
    """The row where the stages have these new numbers. Raises ValueError where one has none."""
    moved = dict(zip(row.joins, joined(row, numbers), strict=True))
    held = {name: getattr(row, name) for name in JOINS if hasattr(row, name)}
    changes = {
        name: tuple(moved[n] for n in value) if isinstance(value, tuple) else moved[value]
        for name, value in held.items()
    }
    return replace(row, **changes) if changes else row  # type: ignore[type-var]
