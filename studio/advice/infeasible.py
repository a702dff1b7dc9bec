"""Why no design meets a brief, and the nearest that works.

If two requirements can each be met alone but not together, the message names both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from studio.advice.budget import cost, format_amount
from studio.advice.modality import KIND_OF_SETTING, AdaptedPreset, adapt_preset, knob_paths
from studio.advice.questions import Strategy
from studio.advice.requirements import Brief
from studio.advice.sizing.scaling_search import smallest_design
from studio.analysis.cost.profiler import Profile, profile
from studio.family import Design, Family, Preset
from studio.knobs import DesignError

FORGOTTEN, MILLION = 1000, 10**6  # a count below the first was probably meant in millions
AMOUNT_OF = {
    "params": "parameters",
    "macs": "for one example",
    "inference_bytes": "of memory for a forward pass",
    "training_bytes": "of memory for a training step",
}
DATA_NAMES = {"images": "images", "tokens": "text tokens", "series": "values at each step"}


class UnmetError(DesignError):
    """No design meets the limits; `design` is the nearest."""

    def __init__(self, message: str, design: Design, *, knob: str, value: object) -> None:
        super().__init__(message, knob=knob, value=value)
        self.design = design

    def __reduce__(self) -> tuple[object, ...]:
        return _unmet, (str(self), self.design, self.knob, self.value)


def _unmet(message: str, design: Design, knob: str, value: object) -> UnmetError:
    return UnmetError(message, design, knob=knob, value=value)


@dataclass(frozen=True)
class Smallest:
    """The smallest design that a preset can be scaled down to, with its profile."""

    cost: Profile
    preset: Preset

    def amount(self, name: str) -> int:
        """What it uses of the limit `name`."""
        return cost(self.cost, name)

    @property
    def title(self) -> str:
        design = self.cost.design
        return f"{design.family.key} ({design.title_for(self.preset)})"


def explain_refusal(
    suited: Sequence[Family], found: Sequence[AdaptedPreset], brief: Brief, how: Strategy
) -> DesignError:
    """The error for a brief without a choice: about its data, or about its limits."""
    if not found:
        return _settings_error(suited, brief)
    smallest = [
        Smallest(profile(smallest_design(one.design), brief.batch), one.preset) for one in found
    ]
    nearest = min(smallest, key=lambda one: brief.limits.share(one.cost))
    if brief.limits.share(nearest.cost) <= 1:
        return _strategy_error(nearest, brief, how)
    return _conflict(smallest, nearest, brief) or _limit_error(nearest, brief)


def _limit_error(nearest: Smallest, brief: Brief) -> UnmetError:
    """The binding limit, and what the smallest design needs of it."""
    name = _binding(nearest, brief)
    limit, needed = brief.limits.given[name], nearest.amount(name)
    return UnmetError(
        f"No design fits in {_amount_of(name, limit)}. The smallest is {nearest.title} with"
        f" {format_amount(name, needed).rstrip()}{_unit_hint(name, limit, needed)}",
        nearest.cost.design,
        knob=name,
        value=limit,
    )


def _amount_of(name: str, limit: int) -> str:
    return f"{format_amount(name, limit)} {AMOUNT_OF[name]}"


def _unit_hint(name: str, limit: int, smallest: int) -> str:
    """A question if the M of a parameter count was probably forgotten."""
    forgotten = name == "params" and limit < FORGOTTEN and limit * MILLION >= smallest
    return f". Did you mean {limit}M?" if forgotten else ""


def _binding(nearest: Smallest, brief: Brief) -> str:
    return brief.limits.binding(nearest.cost)


def _conflict(smallest: Sequence[Smallest], nearest: Smallest, brief: Brief) -> UnmetError | None:
    """Two limits that can be met one at a time only, or None."""
    limits = brief.limits
    for one, other in combinations(limits.given, 2):
        first = [design for design in smallest if design.amount(one) <= limits.given[one]]
        second = [design for design in smallest if design.amount(other) <= limits.given[other]]
        here = min(first, key=lambda design: design.amount(other), default=None)
        there = min(second, key=lambda design: design.amount(one), default=None)
        if here and there and here not in second:
            return UnmetError(
                f"{limits.text(one)} and {limits.text(other)} can each be met, but not together:"
                f" within the first, the least is {format_amount(other, here.amount(other))}"
                f" ({here.title}); within the second, {format_amount(one, there.amount(one))}"
                f" ({there.title})",
                nearest.cost.design,
                knob=other,
                value=limits.given[other],
            )
    return None


def _strategy_error(nearest: Smallest, brief: Brief, how: Strategy) -> UnmetError:
    """The limits can be met, but not by the strategy that was asked for."""
    name = _binding(nearest, brief)
    needed = format_amount(name, nearest.amount(name))
    if how == "recommended":
        return UnmetError(
            f"No design with the proportions of its family fits in"
            f" {_amount_of(name, brief.limits.given[name])}. strategy=proportions allows others,"
            f" down to {nearest.title} with {needed}",
            nearest.cost.design,
            knob="strategy",
            value=how,
        )
    return UnmetError(
        f"strategy={how} cannot meet {brief.limits.text(name)}: no preset becomes small enough that"
        f" way; strategy=proportions reaches {nearest.title} with {needed}",
        nearest.cost.design,
        knob="strategy",
        value=how,
    )


def _settings_error(suited: Sequence[Family], brief: Brief) -> DesignError:
    """The setting that no family for the task has, or two that contradict each other."""
    asked = brief.settings
    alone = [name for name in asked if not any(_adapted_presets(suited, brief, (name,)))]
    if alone:
        return _out_of_range(suited, brief, alone[0]) or _contradicts_task(brief, alone[0])
    pairs = combinations(asked, 2)
    one, other = next(
        (p for p in pairs if not any(_adapted_presets(suited, brief, p))), (*asked, "")[:2]
    )
    return DesignError(
        f"{one}={asked[one]} and {other}={asked.get(other)} contradict each other:"
        f" {_contradiction(one, other)}",
        knob=other,
        value=asked.get(other),
    )


def _out_of_range(suited: Sequence[Family], brief: Brief, name: str) -> DesignError | None:
    """The error for a value outside the range of all networks for the task, or None."""
    value = brief.settings[name]
    starts = [Design(family, preset.config) for family in suited for preset in family.presets]
    known = [one.knobs[place] for one in starts for place in knob_paths(one, name)]
    if not known or not isinstance(value, int | float):
        return None
    low = min(knob.clamp(knob.ge or 0) for knob in known)
    high = max(knob.clamp(knob.le or value) for knob in known)
    if low <= value <= high:
        return None
    return DesignError(
        f"{name}={value} is outside {low} to {high}, the range of networks for {brief.task};"
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


def _adapted_presets(
    suited: Sequence[Family], brief: Brief, names: Sequence[str]
) -> Iterator[AdaptedPreset]:
    """The presets that perform the task with only these settings."""
    part = replace(brief, settings={name: brief.settings[name] for name in names})
    for family in suited:
        for preset in family.presets:
            if found := adapt_preset(family, preset, part):
                yield found


def _why_not(brief: Brief, name: str) -> str:
    if name in KIND_OF_SETTING:
        return f"no network for {brief.task} reads {DATA_NAMES[KIND_OF_SETTING[name]]}"
    return f"no network for {brief.task} has the setting {name}"


def _contradiction(one: str, other: str) -> str:
    first, second = KIND_OF_SETTING.get(one), KIND_OF_SETTING.get(other)
    if first and second and first != second:
        return f"{one} implies {DATA_NAMES[first]}, {other} implies {DATA_NAMES[second]}"
    return "each works alone, but no network has both"
