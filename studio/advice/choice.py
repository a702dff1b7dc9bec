"""Choosing: which families suit a task, each at the size that the limits allow, best first.

What is known of a family (for which tasks it is made, how much data it wants, when to use and when
to avoid it) stands in the family's own file. What is added here is the user's side: how many
examples there are, and what may be spent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from studio import zoo
from studio.advice.limits import Limits, cost, told
from studio.advice.sizing import Search, Strategy, least, sized
from studio.analysis.profile import Profile, profile
from studio.family import BATCH, Design, Family, Preset, Task
from studio.knobs import DesignError

TASKS = get_args(Task)
DATA = {"small": 0, "medium": 10_000, "large": 1_000_000}  # examples from which a family has enough
AS_PUBLISHED = 0.9  # of a limit: a preset that uses as much is better than a size nobody trained
LARGEST = 4.0  # times a limit, of the presets that are worth shrinking


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What is asked for. `settings` are knobs that the task decides, such as `image_size`; a family
    takes those that it has. `examples` is how many there are to learn from, None where unknown."""

    task: Task
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, object] = field(default_factory=dict)
    examples: int | None = None
    batch: int = BATCH.default

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise DesignError(
                f"task={self.task} is not one of its options; it takes {', '.join(TASKS)}",
                knob="task",
                value=self.task,
                nearest=TASKS,
            )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family at the size that the limits allow, and what speaks for and against it.

    `share` is what it uses of the limit that binds it; `notes` tell which settings of the task the
    family had to bend.
    """

    design: Design
    profile: Profile
    preset: Preset
    share: float
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: those of the profile, the preset that it was made from, the words."""
        words = {"reasons": self.reasons, "doubts": self.doubts, "notes": self.notes}
        return {
            **self.profile.to_dict(),
            "base": self.preset.name,
            "share": float(f"{self.share:.4g}"),
            **{name: list(told) for name, told in words.items()},
        }


def choose(brief: Brief, strategy: Strategy = "proportions") -> tuple[Choice, ...]:
    """The families for the task, best first. Raises DesignError where no design meets the limits,
    which says what the one that comes nearest would take."""
    suited = [f for f in zoo.families().values() if brief.task in f.guide.tasks]
    found = [choice for family in suited if (choice := _chosen(family, brief, strategy))]
    if not found:
        raise _unmet(suited, brief)
    return tuple(sorted(found, key=lambda choice: _rank(choice, brief)))


def _rank(choice: Choice, brief: Brief) -> tuple[float, int, float, str]:
    """Enough data first, then whether the task is what the family is for, then how much of the
    budget is used."""
    family = choice.design.family
    unused = round(abs(1 - choice.share), 1) if brief.limits.given else 0.0
    return _hunger(family, brief), family.guide.tasks.index(brief.task), unused, family.key


def _hunger(family: Family, brief: Brief) -> float:
    """How many times more examples the family wants than there are, as a power of ten."""
    if brief.examples is None:
        return 0.0
    return max(0.0, math.log10(max(1, DATA[family.guide.data]) / max(1, brief.examples)))


def _chosen(family: Family, brief: Brief, strategy: Strategy) -> Choice | None:
    start = nearest_preset(family, brief)
    if start is None:
        return None
    preset, design, notes = start
    search = Search(brief.limits, brief.batch)
    share = search.share(design)
    if brief.limits.given and not AS_PUBLISHED <= share <= 1:
        found = sized(design, brief.limits, brief.batch, strategy)
        if found is None:
            return None
        design, share = found.design, found.share
    return Choice(
        design=design,
        profile=profile(design, brief.batch),
        preset=preset,
        share=share,
        reasons=tuple(_reasons(design, preset, brief)),
        doubts=tuple(_doubts(family, brief)),
        notes=notes,
    )


def resized(choice: Choice, design: Design, brief: Brief, reasons: tuple[str, ...]) -> Choice:
    """The choice at another size of its family, with what more speaks for it."""
    share = Search(brief.limits, brief.batch).share(design)
    return replace(
        choice,
        design=design,
        profile=profile(design, brief.batch),
        share=share,
        reasons=(*_reasons(design, choice.preset, brief), *reasons),
    )


def nearest_preset(family: Family, brief: Brief) -> tuple[Preset, Design, tuple[str, ...]] | None:
    """The preset whose cost is nearest to the limits once it does the task, the design that it then
    is, and the notes on settings that it bent. None for a family that has no such design."""
    search = Search(brief.limits, brief.batch)
    best: tuple[float, Preset, Design, tuple[str, ...]] | None = None
    for preset in family.presets:
        made = adapted(family.design(preset.name), brief.settings)
        if made is None:
            continue
        design, notes = made
        share = search.share(design)
        distance = abs(math.log(share)) if share else 0.0
        if best is None or distance < best[0]:
            best = distance, preset, design, notes
        if share == 0.0:
            break
    return best[1:] if best else None


def adapted(
    design: Design, settings: Mapping[str, object]
) -> tuple[Design, tuple[str, ...]] | None:
    """The design with the task's settings, as near to them as its rules allow, and a note for each
    that had to bend; None where one cannot be had at all."""
    notes = []
    for name, value in settings.items():
        if name not in design.knobs:
            continue
        try:
            turn = design.family.turn(design.config, name, value)
        except DesignError:
            return None
        design = Design(design.family, turn.config)
        notes += [turn.why] if turn.why else []
    return design, tuple(notes)


def _reasons(design: Design, preset: Preset, brief: Brief) -> Iterator[str]:
    guide = design.family.guide
    yield guide.use_when
    found = profile(design, brief.batch)
    for name, limit in brief.limits.given.items():
        here = cost(found, name)
        yield f"{told(name, here)} of {told(name, limit)} ({here / limit:.0%} of {name})"
    if design.preset:
        yield f"as published: {preset.name} ({preset.source})"
    for result in guide.results:
        if result.preset == preset.name:
            whose = "published:" if design.preset else f"itself untried; {result.preset} has"
            yield f"{whose} {result.metric} {result.value:g} {result.unit} ({result.source})"


def _doubts(family: Family, brief: Brief) -> Iterator[str]:
    yield family.guide.avoid_when
    if _hunger(family, brief) > 0:
        yield (
            f"it wants {family.guide.data} data, from about {DATA[family.guide.data]:,} examples,"
            f" and there are {brief.examples:,}"
        )


def _unmet(suited: list[Family], brief: Brief) -> DesignError:
    """Which limit binds, and what the design that comes nearest to it would take."""
    starts = (nearest_preset(family, brief) for family in suited)
    found = [profile(least(start[1]), brief.batch) for start in starts if start]
    if not found:
        asked = ", ".join(f"{name}={value}" for name, value in brief.settings.items())
        return DesignError(f"no family for {brief.task} can have {asked}", knob="task")
    nearest = min(found, key=brief.limits.share)
    name = brief.limits.binding(nearest)
    design, needed = nearest.design, cost(nearest, name)
    return DesignError(
        f"{brief.limits.text(name)} cannot be met; the design that comes nearest is"
        f" {design.family.key} ({design.title}), and it takes {told(name, needed)}",
        knob=name,
        value=brief.limits.given[name],
        nearest=(needed,),
    )
