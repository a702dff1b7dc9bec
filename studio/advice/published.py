"""Data of the trade-off map: published results for a task against the cost of each network.

A user's design has a cost but no accuracy, so the map shows it only on the cost axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.family import Result
from studio.tasks import Task


@dataclass(frozen=True)
class PublishedResult:
    """A published result with the parameters of its network and the MACs of one example, both
    counted by the studio."""

    family: str
    result: Result
    params: int
    macs: int


def published_results(task: Task) -> tuple[PublishedResult, ...]:
    """The published results of all presets for a task, the smallest network first."""
    found = []
    for family in zoo.families().values():
        if task in family.guide.tasks:
            for result in family.guide.results:
                counted = profile(family.design(result.preset))
                found.append(PublishedResult(family.key, result, counted.params, counted.macs))
    return tuple(sorted(found, key=lambda one: one.params))


def metrics(found: Iterable[PublishedResult]) -> tuple[str, ...]:
    """The metrics of the results, most frequent first. Only results in the same metric compare."""
    return tuple(name for name, _ in Counter(one.result.metric for one in found).most_common())
