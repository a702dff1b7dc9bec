"""Facts about a family from its papers and its users, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.tasks import Task


@dataclass(frozen=True)
class Preset:
    """A known member of a family, and its source.

    `params` is the count that `source` prints or that its definition gives when it is counted (the
    source says which); None where there is nothing to compare with.
    """

    name: str
    config: Any
    params: int | None
    source: str


@dataclass(frozen=True)
class Result:
    """A published figure: `Result("ResNet-50", "ImageNet-1k top-1", 76.13, "%", source)`."""

    preset: str
    metric: str
    value: float
    unit: str
    source: str


def results(metric: str, unit: str, source: str, values: Mapping[str, float]) -> tuple[Result, ...]:
    """The rows of one published table: the value of each preset, by the preset's name."""
    return tuple(Result(preset, metric, value, unit, source) for preset, value in values.items())


@dataclass(frozen=True, kw_only=True)
class Guide:
    """Advice on a family: its tasks, when to use and to avoid it, strengths, cost and results."""

    tasks: tuple[Task, ...]
    data: Literal["small", "medium", "large"]
    use_when: str
    avoid_when: str
    strengths: tuple[str, ...]
    cost: str
    related: tuple[str, ...]
    results: tuple[Result, ...] = ()
