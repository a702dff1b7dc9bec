"""Whether the stages of a composition fit: the shapes between them, and what each one joins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from studio.stages.counterpart import COUNTERPARTS, adapters, bridges
from studio.stages.stage import (
    INPUT,
    MEMORY,
    STEM,
    AnyStage,
    Flow,
    Map,
    Tokens,
    accepts,
    input_text,
)
from studio.stages.stem import Stem

MOST_VALUES = 2**28  # of one example between two stages: a gigabyte in float32


def memory_of(stages: Sequence[AnyStage]) -> Tokens | None:
    """The second input, if a stage reads one. Raises ValueError if two stages disagree on it."""
    asked = {f"stages.{i}": stage.memory for i, stage in enumerate(stages) if stage.memory}
    first, memory = next(iter(asked.items()), ("", None))
    for place, other in asked.items():
        if memory and other != memory:
            raise ValueError(
                f"{place}: memory_len={other.count} and memory_dim={other.width} must match"
                f" {first}.memory_len={memory.count} and {first}.memory_dim={memory.width}:"
                " both stages read the same second input"
            )
    return memory


def initial_flows(stem: Stem, memory: Tokens | None) -> dict[int, Flow]:
    """The shapes that a stage can join before any stage has run, by number."""
    flows = {INPUT: stem.input_flow(), MEMORY: memory, STEM: stem.flow()}
    return {number: flow for number, flow in flows.items() if flow}


def output_of(stage: AnyStage, x: Flow, flows: Mapping[int, Flow]) -> Flow:
    """The shape of a stage's output. Raises ValueError, with suggestions, if x does not fit."""
    if accepts(stage, x):
        return _output(stage, x, flows)
    wrong = f"{type(stage).__name__} needs {input_text(stage)} but gets {x}"
    if ways := ", or ".join(_suggestions(stage, x, flows)):
        raise ValueError(f"{wrong}: {ways}")
    raise ValueError(wrong)


def _output(stage: AnyStage, x: Flow, flows: Mapping[int, Flow]) -> Flow:
    if why := stage.missing_context(x):
        raise ValueError(why)
    after = stage.flow(x, *joined_inputs(stage, flows))
    if after.values > MOST_VALUES:
        name = type(stage).__name__
        raise ValueError(f"{name} outputs {after}, more than {MOST_VALUES:,} values")
    return after


def _suggestions(stage: AnyStage, x: Flow, flows: Mapping[int, Flow]) -> Iterator[str]:
    """Another stage in place of one that does not take x, and a stage to insert before it."""
    others = [kind() for kind in COUNTERPARTS.get(type(stage), ())]
    for other in (other for other in others if _fits((*adapters(x, (other,)), other), x, flows)):
        yield f"use {type(other).__name__}"
        break
    for step in (step for step in bridges(x, stage) if _fits((step, stage), x, flows)):
        yield f"insert {type(step).__name__}"
        break
    if stage.reads == "clip" and isinstance(x, Map) and _is_image(flows.get(INPUT)):
        yield from () if stage.missing_context(replace(x, frames=2)) else ("start from ClipStem",)


def _is_image(x: Flow | None) -> bool:
    return isinstance(x, Map) and x.frames == 1


def _fits(stages: Sequence[AnyStage], x: Flow, flows: Mapping[int, Flow]) -> bool:
    with suppress(ValueError):
        for stage in stages:
            if not accepts(stage, x):
                return False
            x = _output(stage, x, flows)
        return True
    return False


def joined_inputs(stage: AnyStage, numbered: Mapping[int, Any]) -> Iterator[Any]:
    """What a stage reads besides its input. Raises ValueError if it does not exist yet."""
    for number in stage.joins:
        if number == INPUT and isinstance(numbered.get(INPUT), Tokens | None):
            name = type(stage).__name__
            raise ValueError(
                f"{name} predicts at each pixel of the network's input, and the input is a"
                " sequence: use EachTokenHead"
            )
        if number not in numbered:
            knob = "source" if len(stage.joins) == 1 else "skips"
            raise ValueError(
                f"{knob}={number} is not an earlier stage; the last one is {max(numbered)}"
            )
        yield numbered[number]


@contextmanager
def naming_place(i: int, stages: Sequence[AnyStage]) -> Iterator[None]:
    """Prefixes a ValueError with the place of stage i; the last of the stages is the head."""
    try:
        yield
    except ValueError as broken:
        place = f"stages.{i}" if i < len(stages) - 1 else "head"
        raise ValueError(f"{place}: {broken}") from None
