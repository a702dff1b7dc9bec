"""Whether rows fit: what flows from each to the next, and what each finds to join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from studio.blocks.stages.flow import INPUT, MEMORY, STEM, Flow, Row, Tokens
from studio.blocks.stages.stem import Stem

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
    """What comes out of a row. Raises ValueError where it does not fit."""
    name = type(row).__name__
    if not isinstance(x, row.takes):
        raise ValueError(f"{name} does not take {x}")
    after = row.flow(x, *joined(row, flows))
    if after.values > MOST_VALUES:
        raise ValueError(f"{name} makes {after}, of more than {MOST_VALUES:,} values")
    return after


def joined(row: Row, numbered: Mapping[int, Any]) -> Iterator[Any]:
    """What a row reads beside what flows in. Raises ValueError where it is not there yet."""
    for number in row.joins:
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
