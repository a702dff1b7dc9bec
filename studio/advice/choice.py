"""Choosing: which families suit a task, each at the size that the limits allow, best first.

What is known of a family (for which tasks it is made, how much data it wants, when to use and when
to avoid it) stands in the family's own file. What is added here is the user's side: how many
examples there are, and what may be spent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from studio import zoo
from studio.advice.brief import Brief
from studio.advice.data import Start, same_images, start, steep, steepness, untried
from studio.advice.document import clause
from studio.advice.limits import told
from studio.advice.refusal import refusal, unknown
from studio.advice.sizing import Search, Strategy, distorted
from studio.advice.training import fitted, paid, share
from studio.analysis.profile import Profile, many_models, profile
from studio.family import Design, Family, Preset

DATA = {"small": 0, "medium": 10_000, "large": 1_000_000}  # examples from which a family has enough
AS_PUBLISHED = 0.9  # of a limit: a preset that uses as much is better than a size nobody trained
HALF = 0.5
OF = {
    "params": "parameters",
    "macs": "for one example",
    "inference_bytes": "for a forward pass",
    "training_bytes": "for a training step",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family at the size that the limits allow, and what speaks for and against it.

    `start` is the preset that it was made from, set to the task. `share` is what it uses of the
    limit that binds it. `training_bytes` is the peak of a training step as it is simulated, where
    that was a limit.
    """

    design: Design
    profile: Profile
    start: Start
    share: float
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    training_bytes: int | None = None

    @property
    def title(self) -> str:
        return self.design.titled(self.preset)

    @property
    def preset(self) -> Preset:
        return self.start.preset

    @property
    def published(self) -> Profile:
        """What the preset costs as it is."""
        return profile(Design(self.design.family, self.preset.config))

    @property
    def cost(self) -> str:
        """The law by which it costs."""
        return self.design.family.guide.cost

    @property
    def notes(self) -> tuple[str, ...]:
        """Which settings of the task the family had to bend."""
        return self.start.notes

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: those of the profile, the preset that it was made from, the words."""
        peak = self.training_bytes
        simulated = {} if peak is None else {"training_peak_bytes": peak}
        words = {"reasons": self.reasons, "doubts": self.doubts, "notes": self.notes}
        return {
            **self.profile.to_dict(),
            **simulated,
            "base": self.preset.name,
            "share": float(f"{self.share:.4g}"),
            "cost": self.cost,
            **{name: list(told) for name, told in words.items()},
        }


def choose(brief: Brief, strategy: Strategy = "proportions") -> tuple[Choice, ...]:
    """The families for the task, best first. Raises DesignError where no design meets the limits,
    which says what the one that comes nearest would take."""
    suited = [f for f in zoo.families().values() if brief.task in f.guide.tasks]
    with many_models():
        starts = [one for family in suited if (one := nearest_preset(family, brief))]
        if foreign := unknown(starts, brief):
            raise foreign
        found = [choice for one in starts if (choice := _chosen(one, brief, strategy))]
        if not found:
            raise refusal(suited, starts, brief, strategy)
    return tuple(sorted(found, key=lambda choice: _rank(choice, brief)))


def _rank(choice: Choice, brief: Brief) -> tuple[float, ...]:
    """What is given first: whether the family takes all that the data are said to be, and whether
    there are enough of them. Then whether the task is what it is for, whether it is known at inputs
    of that size and does not pay for them by the square, and how much of the budget it uses. Of
    equals those near the size of their preset, which somebody has trained, and then that which
    computes least."""
    family = choice.design.family
    unused = round(abs(1 - choice.share), 1) if brief.limits.given else 0.0
    return (
        len(choice.start.notes),
        _hunger(family, brief),
        family.guide.tasks.index(brief.task),
        round(choice.start.stretch),
        steepness(choice.profile) > HALF,
        unused,
        round(abs(math.log2(choice.profile.params / choice.published.params))),
        choice.profile.macs,
    )


def _hunger(family: Family, brief: Brief) -> float:
    """How many times more examples the family wants than there are, as a power of ten."""
    if brief.examples is None:
        return 0.0
    return max(0.0, math.log10(max(1, DATA[family.guide.data]) / max(1, brief.examples)))


def _chosen(begin: Start, brief: Brief, strategy: Strategy) -> Choice | None:
    design = begin.design
    used = share(profile(design, brief.batch), brief.limits)
    if brief.limits.given and not AS_PUBLISHED <= used <= 1:
        found = fitted(design, brief.limits, brief.batch, strategy, same_images(design))
        if found is None:
            return None
        design, used = found.design, found.share
    counted = profile(design, brief.batch)
    return Choice(
        design=design,
        profile=counted,
        start=begin,
        share=used,
        reasons=tuple(_reasons(counted, begin.preset, brief)),
        doubts=tuple(_doubts(counted, begin.preset, brief)),
        training_bytes=_training(counted, brief),
    )


def resized(choice: Choice, design: Design, brief: Brief, reasons: tuple[str, ...]) -> Choice:
    """The choice at another size of its family, with what more speaks for it."""
    counted = profile(design, brief.batch)
    return replace(
        choice,
        design=design,
        profile=counted,
        share=share(counted, brief.limits),
        training_bytes=_training(counted, brief),
        reasons=(*_reasons(counted, choice.preset, brief), *reasons),
    )


def _training(found: Profile, brief: Brief) -> int | None:
    return paid(found, "training_bytes") if brief.limits.training_bytes else None


def nearest_preset(family: Family, brief: Brief) -> Start | None:
    """The preset that takes the task's data best, and of equals the one whose cost is nearest to
    the limits, set to the task. None for a family that has no such design."""
    search = Search(brief.limits, brief.batch)
    found = [one for preset in family.presets if (one := start(family, preset, brief))]

    def distance(one: Start) -> tuple[float, ...]:
        if brief.limits.given:
            far = abs(math.log(search.share(one.design)))
        else:  # the first one, unless another is as it was asked for, and not much larger
            far = max(0.0, math.log(profile(one.design).params / profile(found[0].design).params))
        return len(one.foreign), len(one.notes), one.stretch + far

    return min(found, key=distance, default=None)


def _reasons(found: Profile, preset: Preset, brief: Brief) -> Iterator[str]:
    design, guide = found.design, found.design.family.guide
    yield f"right when {clause(guide.use_when)}"
    for name, limit in brief.limits.given.items():
        here = paid(found, name)
        yield f"{told(name, here)} of {told(name, limit)} {OF[name]} ({here / limit:.0%})"
    if design.preset:
        yield f"a preset as it stands: {preset.name} ({preset.source})"
    for result in guide.results:
        if result.preset == preset.name:
            whose = "published:" if design.preset else f"itself untried; {result.preset} has"
            yield f"{whose} {result.metric} {result.value:g} {result.unit} ({result.source})"


def _doubts(found: Profile, preset: Preset, brief: Brief) -> Iterator[str]:
    family = found.design.family
    yield f"wrong when {clause(family.guide.avoid_when)}"
    if _hunger(family, brief) > 0:
        yield (
            f"it wants {family.guide.data} data, from about {DATA[family.guide.data]:,} examples,"
            f" and there are {brief.examples:,}"
        )
    yield from distorted(found.design, preset)
    yield from untried(found.design)
    yield from steep(found)
