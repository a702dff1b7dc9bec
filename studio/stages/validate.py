"""Whether rows fit: what flows from each to the next, and what each finds to join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from studio.stages.counterpart import COUNTERPARTS, adapters, bridges
from studio.stages.stage import INPUT, MEMORY, STEM, Flow, Map, Row, Tokens, is_taken, needs
from studio.stages.stem import Stem

MOST_VALUES = 2**28  # of one example between two rows: a gigabyte


def memory_of(rows: Sequence[Row]) -> Tokens | None:
    """The second input, if any row reads one. Raises ValueError where two do not read the same."""
    asked = {f"stages.{i}": row.memory for i, row in enumerate(rows) if row.memory}
    first, memory = next(iter(asked.items()), ("", None))
    for place, other in asked.items():
        if memory and other != memory:
            raise ValueError(
                f"{place}: memory_len={other.count} and memory_dim={other.width} are not those of"
                f" the one second input, {first}.memory_len={memory.count} and"
                f" {first}.memory_dim={memory.width}"
            )
    return memory


def sources(stem: Stem, memory: Tokens | None) -> dict[int, Flow]:
    """What a row may join before any stage has run."""
    there = {INPUT: stem.given(), MEMORY: memory, STEM: stem.start()}
    return {number: flow for number, flow in there.items() if flow}


def passed(row: Row, x: Flow, flows: Mapping[int, Flow]) -> Flow:
    """What comes out of a row. Raises ValueError where it does not fit, with what would."""
    if is_taken(x, row):
        return _passed(row, x, flows)
    wrong = f"{type(row).__name__} needs {needs(row)} but gets {x}"
    if ways := ", or ".join(_ways(row, x, flows)):
        raise ValueError(f"{wrong}: {ways}")
    raise ValueError(wrong)


def _passed(row: Row, x: Flow, flows: Mapping[int, Flow]) -> Flow:
    if why := row.lacks(x):
        raise ValueError(why)
    after = row.flow(x, *joined(row, flows))
    if after.values > MOST_VALUES:
        name = type(row).__name__
        raise ValueError(f"{name} makes {after}, of more than {MOST_VALUES:,} values")
    return after


def _ways(row: Row, x: Flow, flows: Mapping[int, Flow]) -> Iterator[str]:
    """What could stand in the place of a row that does not take x, and what before it."""
    others = [kind() for kind in COUNTERPARTS.get(type(row), ())]
    for other in (other for other in others if _fits((*adapters(x, (other,)), other), x, flows)):
        yield f"use {type(other).__name__}"
        break
    for step in (step for step in bridges(x, row) if _fits((step, row), x, flows)):
        yield f"insert {type(step).__name__}"
        break
    if row.reads == "clip" and isinstance(x, Map) and _is_image(flows.get(INPUT)):
        yield from () if row.lacks(replace(x, frames=2)) else ("start from ClipStem",)


def _is_image(x: Flow | None) -> bool:
    return isinstance(x, Map) and x.frames == 1


def _fits(rows: Sequence[Row], x: Flow, flows: Mapping[int, Flow]) -> bool:
    with suppress(ValueError):
        for row in rows:
            if not is_taken(x, row):
                return False
            x = _passed(row, x, flows)
        return True
    return False


def joined(row: Row, numbered: Mapping[int, Any]) -> Iterator[Any]:
    """What a row reads beside what flows in. Raises ValueError where it is not there yet."""
    for number in row.joins:
        if number == INPUT and isinstance(numbered.get(INPUT), Tokens | None):
            name = type(row).__name__
            raise ValueError(
                f"{name} answers at each pixel of the image that flows into the network, and a"
                " sequence flows into it: use EachTokenHead"
            )
        if number not in numbered:
            knob = "source" if len(row.joins) == 1 else "skips"
            raise ValueError(f"{knob}={number} is no stage before it, the last is {max(numbered)}")
        yield numbered[number]


@contextmanager
def placed(i: int, rows: Sequence[Row]) -> Iterator[None]:
    """A ValueError within tells which of the rows, of which the last is the head, broke a rule."""
    try:
        yield
    except ValueError as broken:
        place = f"stages.{i}" if i < len(rows) - 1 else "head"
        raise ValueError(f"{place}: {broken}") from None
