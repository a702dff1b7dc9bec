"""The trade-off map: what was published for a task, against what each network costs.

A design of one's own has a cost and no accuracy: nobody has trained it. So it is drawn on the axis
of cost alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.family import Result, Task


@dataclass(frozen=True)
class PublishedResult:
    """A published result, and what the network that had it costs, by our own count (MACs of one
    example)."""

    family: str
    result: Result
    params: int
    macs: int


def published_results(task: Task) -> tuple[PublishedResult, ...]:
    """The results of all presets of the families for this task, the smallest network first."""
    found = []
    for family in zoo.families().values():
        if task in family.guide.tasks:
            for result in family.guide.results:
                counted = profile(family.design(result.preset))
                found.append(PublishedResult(family.key, result, counted.params, counted.macs))
    return tuple(sorted(found, key=lambda one: one.params))


def metrics(found: Iterable[PublishedResult]) -> tuple[str, ...]:
    """What was reported, most often first: only results of the same metric compare."""
    return tuple(name for name, _ in Counter(one.result.metric for one in found).most_common())
