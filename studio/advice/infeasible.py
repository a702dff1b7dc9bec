"""Refusals: why no design meets a brief, and what the one that comes nearest would take.

Where two things were asked for that each can be had alone, both are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from studio.advice.budget import cost, told
from studio.advice.modality import SAID_BY, Start, places, start
from studio.advice.questions import Strategy
from studio.advice.requirements import Brief
from studio.advice.sizing.scaling_search import least
from studio.analysis.cost.profiler import Profile, profile
from studio.family import Design, Family, Preset
from studio.knobs import DesignError

FORGOTTEN, MILLION = 10_000, 10**6
OF = {
    "params": "parameters",
    "macs": "for one example",
    "inference_bytes": "of memory for a forward pass",
    "training_bytes": "of memory for a training step",
}
DATA = {"images": "images", "tokens": "tokens of a text", "series": "values at each step"}


class UnmetError(DesignError):
    """No design meets the limits; `design` is the one that comes nearest."""

    def __init__(self, message: str, design: Design, *, knob: str, value: object) -> None:
        super().__init__(message, knob=knob, value=value)
        self.design = design

    def __reduce__(self) -> tuple[object, ...]:
        return _unmet, (str(self), self.design, self.knob, self.value)


def _unmet(message: str, design: Design, knob: str, value: object) -> UnmetError:
    return UnmetError(message, design, knob=knob, value=value)


@dataclass(frozen=True)
class Least:
    """The smallest design that a preset comes down to, and what it costs."""

    cost: Profile
    preset: Preset

    def pays(self, name: str) -> int:
        return cost(self.cost, name)

    @property
    def told(self) -> str:
        design = self.cost.design
        return f"{design.family.key} ({design.titled(self.preset)})"


def refusal(
    suited: Sequence[Family], found: Sequence[Start], brief: Brief, how: Strategy
) -> DesignError:
    """Why there is no choice: what was asked of the data, or of the cost."""
    if not found:
        return _no_such_network(suited, brief)
    smallest = [Least(profile(least(one.design), brief.batch), one.preset) for one in found]
    nearest = min(smallest, key=lambda one: brief.limits.share(one.cost))
    if brief.limits.share(nearest.cost) <= 1:
        return _not_that_way(nearest, brief, how)
    return _not_together(smallest, nearest, brief) or _too_much(nearest, brief)


def _too_much(nearest: Least, brief: Brief) -> UnmetError:
    """The limit that binds, and what the smallest design would take."""
    name = _binding(nearest, brief)
    limit = brief.limits.given[name]
    return UnmetError(
        f"No design fits in {_in_words(name, limit)}. The smallest is {nearest.told}, with"
        f" {told(name, nearest.pays(name)).rstrip()}{_meant(name, limit, nearest.pays(name))}",
        nearest.cost.design,
        knob=name,
        value=limit,
    )


def _in_words(name: str, limit: int) -> str:
    return f"{told(name, limit)} {OF[name]}"


def _meant(name: str, limit: int, least: int) -> str:
    """A question, where the unit of a number of parameters may have been forgotten."""
    forgotten = name == "params" and limit < FORGOTTEN and limit * MILLION >= least
    return f". Did you mean {limit}M?" if forgotten else ""


def _binding(nearest: Least, brief: Brief) -> str:
    return brief.limits.binding(nearest.cost)


def _not_together(smallest: Sequence[Least], nearest: Least, brief: Brief) -> UnmetError | None:
    """Two limits that some design meets each, and none both."""
    limits = brief.limits
    for one, other in combinations(limits.given, 2):
        first = [design for design in smallest if design.pays(one) <= limits.given[one]]
        second = [design for design in smallest if design.pays(other) <= limits.given[other]]
        here = min(first, key=lambda design: design.pays(other), default=None)
        there = min(second, key=lambda design: design.pays(one), default=None)
        if here and there and here not in second:
            return UnmetError(
                f"{limits.text(one)} and {limits.text(other)} can each be met, but not together:"
                f" with the first the least is {told(other, here.pays(other))} ({here.told}), with"
                f" the second {told(one, there.pays(one))} ({there.told})",
                nearest.cost.design,
                knob=other,
                value=limits.given[other],
            )
    return None


def _not_that_way(nearest: Least, brief: Brief, how: Strategy) -> UnmetError:
    """The limits can be met, but not by what was to be scaled."""
    name = _binding(nearest, brief)
    if how == "recommended":
        return UnmetError(
            f"No design in the proportions of its family fits in"
            f" {_in_words(name, brief.limits.given[name])}. Strategy proportions goes further, down"
            f" to {nearest.told} with {told(name, nearest.pays(name))}",
            nearest.cost.design,
            knob="strategy",
            value=how,
        )
    return UnmetError(
        f"strategy={how} and {brief.limits.text(name)} do not go together: scaled in that way alone"
        f" no preset comes down to it; {nearest.told} takes {told(name, nearest.pays(name))}",
        nearest.cost.design,
        knob="strategy",
        value=how,
    )


def _no_such_network(suited: Sequence[Family], brief: Brief) -> DesignError:
    """The setting that goes with the task in no family, or the two that do not go together."""
    asked = brief.settings
    alone = [name for name in asked if not any(_starts(suited, brief, (name,)))]
    if alone:
        return _out_of_range(suited, brief, alone[0]) or _contradicts_task(brief, alone[0])
    pairs = combinations(asked, 2)
    one, other = next((p for p in pairs if not any(_starts(suited, brief, p))), (*asked, "")[:2])
    return DesignError(
        f"{one}={asked[one]} and {other}={asked.get(other)} contradict each other:"
        f" {_meaning(one, other)}",
        knob=other,
        value=asked.get(other),
    )


def _out_of_range(suited: Sequence[Family], brief: Brief, name: str) -> DesignError | None:
    """The refusal of a value that is smaller or larger than any network for the task takes."""
    value = brief.settings[name]
    starts = [Design(family, preset.config) for family in suited for preset in family.presets]
    known = [one.knobs[place] for one in starts for place in places(one, name)]
    if not known or not isinstance(value, int | float):
        return None
    low = min(knob.clamp(knob.ge or 0) for knob in known)
    high = max(knob.clamp(knob.le or value) for knob in known)
    if low <= value <= high:
        return None
    return DesignError(
        f"{name}={value} is outside {low} to {high}, which networks for {brief.task} take;"
        f" the nearest that works is {name}={min(max(value, low), high)}",
        knob=name,
        value=value,
    )


def _contradicts_task(brief: Brief, name: str) -> DesignError:
    value = brief.settings[name]
    return DesignError(
        f"task={brief.task} and {name}={value} contradict each other: {_why_not(brief, name)}",
        knob=name,
        value=value,
    )


def _starts(suited: Sequence[Family], brief: Brief, names: Sequence[str]) -> Iterator[Start]:
    """The presets that do the task with these settings alone."""
    part = replace(brief, settings={name: brief.settings[name] for name in names})
    for family in suited:
        for preset in family.presets:
            if found := start(family, preset, part):
                yield found


def _why_not(brief: Brief, name: str) -> str:
    if name in SAID_BY:
        return f"no network for {brief.task} reads {DATA[SAID_BY[name]]}"
    return f"no network for {brief.task} has a {name}"


def _meaning(one: str, other: str) -> str:
    first, second = SAID_BY.get(one), SAID_BY.get(other)
    if first and second and first != second:
        return f"the one says that the data are {DATA[first]}, the other {DATA[second]}"
    return "each can be had alone, and no network has both"
