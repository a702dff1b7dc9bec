"""Adapters: stages inserted by rule where a map flows into a stage for tokens, or the reverse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio.stages.counterpart import adapters
from studio.stages.stage import JOINS, STEM, AnyStage
from studio.stages.validate import initial_flows, joined_inputs, memory_of, naming_place, output_of


def with_adapters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a composition, with an adapter wherever the kind of tensor has to change.

    Raises ValueError, which names stages by their numbers before the insertion.
    """
    stages = (*settings["stages"], settings["head"])
    flows = initial_flows(settings["stem"], memory_of(stages))
    numbers = {number: number for number in flows}  # from the old number of a stage to the new one
    adapted: list[AnyStage] = []
    x = flows[STEM]
    for i, stage in enumerate(stages):
        with naming_place(i, stages):
            for step in (*adapters(x, stages[i:]), stage):
                x = output_of(step, x, flows)
                adapted.append(renumber(step, numbers))
        flows[i], numbers[i] = x, len(adapted) - 1
    return {**settings, "stages": tuple(adapted[:-1]), "head": adapted[-1]}


def renumber(stage: AnyStage, numbers: Mapping[int, int]) -> AnyStage:
    """The stage, with new numbers for the stages that it joins. Raises ValueError if one does not
    exist."""
    moved = dict(zip(stage.joins, joined_inputs(stage, numbers), strict=True))
    joined = {name: getattr(stage, name) for name in JOINS if hasattr(stage, name)}
    changes = {
        name: tuple(moved[n] for n in value) if isinstance(value, tuple) else moved[value]
        for name, value in joined.items()
    }
    return replace(stage, **changes) if changes else stage  # type: ignore[type-var]
