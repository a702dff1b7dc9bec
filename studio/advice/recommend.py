"""Choosing: which families suit a task, each at the size that the limits allow, best first.

What is known of a family (for which tasks it is made, how much data it wants, when to use and when
to avoid it) stands in the family's own file. What is added here is the user's side: how many
examples there are, and what may be spent.
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
from studio.family import Design, Family, Preset, Task

PRESET_SHARE = 0.6  # of a limit: a preset that uses as much is better than a size nobody trained
SECOND_PENALTY = 0.5  # octaves by which a size made from the second nearest preset must be better
MAX_PRESETS = 8  # presets, nearest in cost first, that may serve as they are


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family at the size that the limits allow, and what speaks for and against it.

    `start` is the preset that it was made from, set to the task. `share` is what it uses of the
    limit that binds it.
    """

    design: Design
    profile: Profile
    start: AdaptedPreset
    share: float
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def title(self) -> str:
        """The family or preset, and its size."""
        return choice_title(self.profile, self.preset)

    @property
    def knobs(self) -> str:
        """What it was made from and how it differs, empty of an unmodified preset."""
        return changes_text(self.design, self.preset)

    @property
    def preset(self) -> Preset:
        return self.start.preset

    @property
    def published(self) -> Profile:
        """What the preset costs as it is."""
        return profile(Design(self.design.family, self.preset.config))

    @property
    def cost(self) -> str:
        """The law by which it costs, empty where the family's has the figures of one network."""
        return symbolic_law(self.design.family.guide.cost)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which settings of the task the family had to bend."""
        return self.start.notes

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: those of the profile, the preset that it was made from, the words."""
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
    """The families for the task, best first. Raises DesignError where no design meets the limits,
    which says what the one that comes nearest would take."""
    found = [choose_in_family(family, brief, strategy) for family in families_for(brief.task)]
    return sort_choices([choice for choice in found if choice], brief, strategy)


def families_for(task: Task) -> tuple[Family, ...]:
    """The families for a task, those that are made for it before those that can do it too."""
    known = [family for family in zoo.families().values() if task in family.guide.tasks]
    return tuple(sorted(known, key=lambda family: family.guide.tasks.index(task)))


def sort_choices(found: Sequence[Choice], brief: Brief, strategy: Strategy) -> tuple[Choice, ...]:
    """Those of the choices that can read the data, best first. Raises DesignError for none."""
    if not found:
        families = families_for(brief.task)
        with freeze_gc():
            starts = [one for family in families if (one := nearest_preset(family, brief))]
            raise explain_refusal(families, starts, brief, strategy)
    fitting = [choice for choice in found if not choice.start.misfits]
    return tuple(sorted(fitting or found, key=lambda choice: rank_key(choice, brief)))


def choose_in_family(family: Family, brief: Brief, strategy: Strategy) -> Choice | None:
    """What a family has for a brief; None where it has nothing that does the task, reads the data
    and is within the limits."""
    with freeze_gc():
        starts = _starts(family, brief)
        if not starts:
            return None
        if not brief.limits.given:
            return _made(_first(starts), _first(starts).design, brief)
        if strategy == "recommended":
            return _recommended(starts, brief)
        begin = min(starts, key=lambda one: _far(one, brief))
        return _sized(begin, brief, strategy)


def _recommended(starts: Sequence[AdaptedPreset], brief: Brief) -> Choice | None:
    """The preset that uses most of the limits, as it was published, if one uses enough; else a size
    in the proportions of one of the presets nearest in cost."""
    known = sorted(starts, key=lambda one: _far(one, brief))
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
        return _made(best, best.design, brief)
    found: list[tuple[float, Choice]] = []
    for place, one in enumerate(_of_other_sizes(near)):
        if choice := _sized(one, brief, "recommended"):
            found.append((mismatch(choice) + place * SECOND_PENALTY, choice))
            if mismatch(choice) <= ENOUGH:
                break
    chosen = min(found, key=lambda one: one[0])[1] if found else None
    if chosen and chosen.share < HALF and max(shares.values()) < HALF:
        return _largest_published(max(shares, key=shares.__getitem__), brief)
    return chosen


def _largest_published(one: AdaptedPreset, brief: Brief) -> Choice:
    """The largest preset as it is, of a family that has no sound size for a budget so large."""
    choice = _made(one, one.design, brief)
    size = units.count(choice.published.params)
    doubt = f"its largest published size for this data is {one.preset.name}, {size} parameters"
    return replace(choice, doubts=(doubt, *choice.doubts))


def _of_other_sizes(starts: Sequence[AdaptedPreset]) -> list[AdaptedPreset]:
    """The first two whose sizes differ."""
    seen: dict[tuple[object, ...], AdaptedPreset] = {}
    for one in starts:
        seen.setdefault(tuple(one.design.value(name) for name in size_knobs(one.design)), one)
    return list(seen.values())[:2]


def _sized(begin: AdaptedPreset, brief: Brief, strategy: Strategy) -> Choice | None:
    design = begin.design
    used = brief.limits.share(profile(design, brief.batch))
    if not FULL_SHARE <= used <= 1:
        found = size_design(design, brief.limits, brief.batch, strategy, same_image_shape(design))
        if found is None:
            return None
        design = found.design
    return _made(begin, design, brief)


def _made(begin: AdaptedPreset, design: Design, brief: Brief) -> Choice:
    counted = profile(design, brief.batch)
    return Choice(
        design=design,
        profile=counted,
        start=begin,
        share=brief.limits.share(counted),
        reasons=tuple(_reasons(counted, begin.preset, brief)),
        doubts=tuple(_doubts(counted, begin.preset, brief)),
    )


def resize_choice(choice: Choice, design: Design, brief: Brief, reasons: tuple[str, ...]) -> Choice:
    """The choice at another size of its family, with what more speaks for it."""
    counted = profile(design, brief.batch)
    return replace(
        choice,
        design=design,
        profile=counted,
        share=brief.limits.share(counted),
        reasons=(*_reasons(counted, choice.preset, brief), *reasons),
    )


def nearest_preset(family: Family, brief: Brief) -> AdaptedPreset | None:
    """The preset that takes the task's data best, and of equals the one whose cost is nearest to
    the limits, set to the task. None for a family that has no such design."""
    starts = _starts(family, brief)
    if not starts or not brief.limits.given:
        return _first(starts) if starts else None
    return min(starts, key=lambda one: _far(one, brief))


def _starts(family: Family, brief: Brief) -> list[AdaptedPreset]:
    return [one for preset in family.presets if (one := adapt_preset(family, preset, brief))]


def _far(one: AdaptedPreset, brief: Brief) -> tuple[float, ...]:
    """How far a preset is from what is asked: its data first, then its input and its cost."""
    far = abs(math.log(Search(brief.limits, brief.batch).share(one.design)))
    return len(one.misfits), len(one.notes), one.stretch / 2 + far


def _first(starts: Sequence[AdaptedPreset]) -> AdaptedPreset:
    """The family's first preset, unless another is as it was asked for, and not much larger."""
    size = profile(starts[0].design).params

    def far(one: AdaptedPreset) -> tuple[float, ...]:
        larger = max(0.0, math.log(profile(one.design).params / size))
        return len(one.misfits), len(one.notes), one.stretch + larger

    return min(starts, key=far)


def _reasons(found: Profile, preset: Preset, brief: Brief) -> Iterator[str]:
    design, guide = found.design, found.design.family.guide
    yield f"good fit when {as_clause(guide.use_when)}"
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
