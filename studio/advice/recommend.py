"""Choose the families that suit a brief, each at the size that the limits allow, best first.

Facts about a family (its tasks, how much data it needs, when to use and to avoid it) are in the
guide of its own file. This module matches them with the brief: task, data and limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio import zoo
from studio.advice.budget import cost, format_amount
from studio.advice.choice_text import (
    as_clause,
    changes_text,
    choice_title,
    format_percent,
    symbolic_law,
)
from studio.advice.evidence import citations, short_source
from studio.advice.infeasible import AMOUNT_OF, explain_refusal
from studio.advice.modality import (
    AdaptedPreset,
    adapt_preset,
    quadratic_cost,
    same_image_shape,
    untested_sizes,
)
from studio.advice.questions import Strategy
from studio.advice.ranking import EXAMPLES_NEEDED, HALF, data_shortfall, mismatch, rank_key
from studio.advice.requirements import Brief
from studio.advice.sizing.proportional import ENOUGH
from studio.advice.sizing.proportions import size_knobs
from studio.advice.sizing.scaling_search import FULL_SHARE, Search, distortion
from studio.advice.sizing.strategy import size_design
from studio.analysis import units
from studio.analysis.cost.profiler import Profile, freeze_gc, profile
from studio.analysis.cost.starved_norm import training_memory_text
from studio.family import Design, Family, Preset
from studio.tasks import Task

PRESET_SHARE = 0.6  # of the binding limit, from which on a preset is preferred to other sizes
SECOND_PENALTY = 0.5  # octaves by which a size made from the second nearest preset must be better
GOOD_FIT = "good fit when "
MAX_PRESETS = 8  # nearest in cost, that are considered unmodified


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family at the size that the limits allow, with reasons for and doubts about it.

    `start`: the preset it was made from, adapted to the task. `share`: how much of the binding
    limit it uses. `training_memory`: the peak of a training step with Adam in words, which takes a
    simulation.
    """

    design: Design
    profile: Profile
    start: AdaptedPreset
    share: float
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    training_memory: str

    @property
    def title(self) -> str:
        """The family or preset with its number of parameters."""
        return choice_title(self.profile, self.preset)

    @property
    def knobs(self) -> str:
        """The preset it was made from and the changes; empty for an unmodified preset."""
        return changes_text(self.design, self.preset)

    @property
    def preset(self) -> Preset:
        return self.start.preset

    @property
    def published(self) -> Profile:
        """The profile of the unmodified preset."""
        return profile(Design(self.design.family, self.preset.config))

    @property
    def cost(self) -> str:
        """The cost law of the family; empty if it holds for a single network only."""
        return symbolic_law(self.design.family.guide.cost)

    @property
    def notes(self) -> tuple[str, ...]:
        """The settings of the task that the family cannot take as specified."""
        return self.start.notes

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the profile, the preset, and the texts."""
        words = {"reasons": self.reasons, "doubts": self.doubts, "notes": self.notes}
        return {
            **self.profile.to_dict(),
            "title": self.title,
            "base": self.preset.name,
            "share": float(f"{self.share:.4g}"),
            "cost": self.cost,
            **{name: list(texts) for name, texts in words.items()},
        }


def choose(brief: Brief, strategy: Strategy = "recommended") -> tuple[Choice, ...]:
    """The families for the task, best first. Raises DesignError if no design meets the limits; it
    names the nearest one and what it needs."""
    found = [choose_in_family(family, brief, strategy) for family in families_for(brief.task)]
    return sort_choices([choice for choice in found if choice], brief, strategy)


def families_for(task: Task) -> tuple[Family, ...]:
    """The families for a task, those designed for it before those that can also perform it."""
    known = [family for family in zoo.families().values() if task in family.guide.tasks]
    return tuple(sorted(known, key=lambda family: family.guide.tasks.index(task)))


def sort_choices(found: Sequence[Choice], brief: Brief, strategy: Strategy) -> tuple[Choice, ...]:
    """The choices that can read the data, best first. Raises DesignError if there are none."""
    if not found:
        families = families_for(brief.task)
        with freeze_gc():
            starts = [one for family in families if (one := nearest_preset(family, brief))]
            raise explain_refusal(families, starts, brief, strategy)
    fitting = [choice for choice in found if not choice.start.misfits]
    return tuple(sorted(fitting or found, key=lambda choice: rank_key(choice, brief)))


def choose_in_family(family: Family, brief: Brief, strategy: Strategy) -> Choice | None:
    """The choice of a family for a brief; None if none of its designs performs the task, reads the
    data and meets the limits."""
    with freeze_gc():
        starts = _adapted_presets(family, brief)
        if not starts:
            return None
        if not brief.limits.given:
            return _build_choice(_first(starts), _first(starts).design, brief)
        if strategy == "recommended":
            return _recommended_choice(starts, brief)
        begin = min(starts, key=lambda one: _distance(one, brief))
        return _sized_choice(begin, brief, strategy)


def _recommended_choice(starts: Sequence[AdaptedPreset], brief: Brief) -> Choice | None:
    """The published preset that uses most of the limits, if one uses enough of them; else a size
    with the proportions of one of the presets nearest in cost."""
    known = sorted(starts, key=lambda one: _distance(one, brief))
    least = known[0].stretch
    near = [
        one for one in known if one.stretch <= least + 1 and len(one.notes) == len(known[0].notes)
    ]
    shares = {one: brief.limits.share(profile(one.design, brief.batch)) for one in near}
    published = [one for one in near[:MAX_PRESETS] if PRESET_SHARE <= shares[one] <= 1]
    if published:
        order = {preset.name: place for place, preset in enumerate(starts[0].design.family.presets)}
        best = min(
            published,
            key=lambda one: (round(-shares[one], 1), not one.design.preset, order[one.preset.name]),
        )
        return _build_choice(best, best.design, brief)
    found: list[tuple[float, Choice]] = []
    for place, one in enumerate(_first_two_sizes(near)):
        if choice := _sized_choice(one, brief, "recommended"):
            found.append((mismatch(choice) + place * SECOND_PENALTY, choice))
            if mismatch(choice) <= ENOUGH:
                break
    chosen = min(found, key=lambda one: one[0])[1] if found else None
    if chosen and chosen.share < HALF and max(shares.values()) < HALF:
        return _largest_preset(max(shares, key=shares.__getitem__), brief)
    return chosen


def _largest_preset(one: AdaptedPreset, brief: Brief) -> Choice:
    """The largest preset, unmodified: the family has no sound size for so large a budget."""
    choice = _build_choice(one, one.design, brief)
    size = units.count(choice.published.params)
    doubt = f"its largest published size for this data is {one.preset.name}, {size} parameters"
    return replace(choice, doubts=(doubt, *choice.doubts))


def _first_two_sizes(starts: Sequence[AdaptedPreset]) -> list[AdaptedPreset]:
    """The first two presets of different size."""
    seen: dict[tuple[object, ...], AdaptedPreset] = {}
    for one in starts:
        seen.setdefault(tuple(one.design.value(name) for name in size_knobs(one.design)), one)
    return list(seen.values())[:2]


def _sized_choice(begin: AdaptedPreset, brief: Brief, strategy: Strategy) -> Choice | None:
    design = begin.design
    used = brief.limits.share(profile(design, brief.batch))
    if not FULL_SHARE <= used <= 1:
        found = size_design(design, brief.limits, brief.batch, strategy, same_image_shape(design))
        if found is None:
            return None
        design = found.design
    return _build_choice(begin, design, brief)


def _build_choice(begin: AdaptedPreset, design: Design, brief: Brief) -> Choice:
    counted = profile(design, brief.batch)
    return Choice(
        design=design,
        profile=counted,
        start=begin,
        share=brief.limits.share(counted),
        reasons=tuple(_reasons(counted, begin.preset, brief)),
        doubts=tuple(_doubts(counted, begin.preset, brief)),
        training_memory=training_memory_text(counted),
    )


def resize_choice(choice: Choice, design: Design, brief: Brief, reasons: tuple[str, ...]) -> Choice:
    """The choice at another size of its family, with additional reasons."""
    counted = profile(design, brief.batch)
    return replace(
        choice,
        design=design,
        profile=counted,
        share=brief.limits.share(counted),
        reasons=(*_reasons(counted, choice.preset, brief), *reasons),
        training_memory=training_memory_text(counted),
    )


def nearest_preset(family: Family, brief: Brief) -> AdaptedPreset | None:
    """The preset that suits the data best, in a tie the one whose cost is nearest to the limits,
    adapted to the task. None if the family has no such design."""
    starts = _adapted_presets(family, brief)
    if not starts or not brief.limits.given:
        return _first(starts) if starts else None
    return min(starts, key=lambda one: _distance(one, brief))


def _adapted_presets(family: Family, brief: Brief) -> list[AdaptedPreset]:
    return [one for preset in family.presets if (one := adapt_preset(family, preset, brief))]


def _distance(one: AdaptedPreset, brief: Brief) -> tuple[float, ...]:
    """Distance of a preset from the brief: data first, then input size and cost."""
    far = abs(math.log(Search(brief.limits, brief.batch).share(one.design)))
    return len(one.misfits), len(one.notes), one.stretch / 2 + far


def _first(starts: Sequence[AdaptedPreset]) -> AdaptedPreset:
    """The preset that suits the data best; presets larger than the family's first are penalised."""
    size = profile(starts[0].design).params

    def far(one: AdaptedPreset) -> tuple[float, ...]:
        larger = max(0.0, math.log(profile(one.design).params / size))
        return len(one.misfits), len(one.notes), one.stretch + larger

    return min(starts, key=far)


def _reasons(found: Profile, preset: Preset, brief: Brief) -> Iterator[str]:
    design, guide = found.design, found.design.family.guide
    yield f"{GOOD_FIT}{as_clause(guide.use_when)}"
    for name, limit in brief.limits.given.items():
        here = cost(found, name)
        used = f"{format_amount(name, here)} of {format_amount(name, limit)} {AMOUNT_OF[name]}"
        yield f"{used} ({format_percent(here / limit)})"
    if design.preset:
        yield f"unmodified preset: {preset.name} ({short_source(preset.source)})"
    yield from citations(design, preset, brief.task)


def _doubts(found: Profile, preset: Preset, brief: Brief) -> Iterator[str]:
    family = found.design.family
    yield f"poor fit when {as_clause(family.guide.avoid_when)}"
    if data_shortfall(family, brief) > 0:
        yield (
            f"needs a {family.guide.data} dataset, about {EXAMPLES_NEEDED[family.guide.data]:,}"
            f" examples or more; there are {brief.examples:,}"
        )
    yield from distortion(found.design, preset)
    yield from untested_sizes(found.design)
    yield from quadratic_cost(found)
