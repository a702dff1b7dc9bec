"""Ranking: which of several choices is best, and why, in one line.

First what the guides of the families say of the task and the data, then how well a design fits the
limits: an unmodified preset before a size that nobody trained, and among presets that use most of
the budget the one with the best published result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from studio.advice.evidence import HEADLINE, format_result, results_for
from studio.advice.modality import attention_share, knob_paths, untested_sizes
from studio.advice.requirements import Brief
from studio.advice.sizing.proportions import distance, size_knobs
from studio.analysis import units
from studio.family import Design, Family, Result

if TYPE_CHECKING:
    from studio.advice.recommend import Choice

EXAMPLES_NEEDED = {"small": 0, "medium": 10_000, "large": 1_000_000}
HALF = 0.5
RESIZE_PENALTY = 0.25  # octaves, for a size that nobody has published
STEPS = 4  # of an octave: a closer fit than that is none
ENOUGH_SHARE = 0.6  # of the budget: a preset that uses as much is not the better for using more

FINE_TUNING_KNOBS = ("in_channels", "num_classes")


class Criterion(NamedTuple):
    """What choices are compared by, the least first, and what is said of one that has less."""

    value: Callable[[Choice, Brief], float]
    why: Callable[[Choice, Brief], str]


def data_shortfall(family: Family, brief: Brief) -> float:
    """How many times more examples the family needs than there are, as a power of ten."""
    if brief.examples is None:
        return 0.0
    return max(0.0, math.log10(max(1, EXAMPLES_NEEDED[family.guide.data]) / max(1, brief.examples)))


def mismatch(choice: Choice) -> float:
    """Octaves of the budget that are unused, and of proportions that are not those of a preset."""
    unused = math.log2(max(1, ENOUGH_SHARE / choice.share)) if choice.share else 0.0
    return unused + distance(choice.design) + RESIZE_PENALTY * _resized(choice)


def _result(choice: Choice, brief: Brief) -> Result | None:
    """What was published of the preset at this resolution, in the one measure that networks for the
    task share. Other channels and classes are what everybody fine-tunes a preset for."""
    metric, design = HEADLINE.get(brief.task), choice.design
    tuned = {place for name in FINE_TUNING_KNOBS for place in knob_paths(design, name)}
    if metric is None or not design.changes(choice.preset).keys() <= tuned:
        return None
    results = choice.design.family.guide.results
    found = (r for r in results if r.preset == choice.preset.name and r.metric == metric)
    return next(found, None)


def _score(choice: Choice, brief: Brief) -> float:
    result = _result(choice, brief)
    return -result.value if result else 0.0


def _best_published(choice: Choice, brief: Brief) -> str:
    result = _result(choice, brief)
    assert result  # it decides only where the first has one
    return (
        f"{result.preset} has the best published result of those that fit, {format_result(result)}"
    )


def _place(choice: Choice, brief: Brief) -> float:
    return choice.design.family.guide.tasks.index(brief.task)


def _fitting(choice: Choice, brief: Brief) -> str:
    if not brief.limits.given:
        return f"it is {choice.preset.name} in its own proportions"
    what = "a published preset" if not _resized(choice) else "close to a published preset"
    return f"it is {what} and uses {choice.share:.0%} of the budget"


def _resized(choice: Choice) -> bool:
    """Whether its depths or widths are not those of its preset."""
    here = choice.design
    there = Design(here.family, choice.preset.config)
    return any(
        name not in there.knobs or here.value(name) != there.value(name)
        for name in size_knobs(here)
    )


CRITERIA = (
    Criterion(
        lambda c, b: len(c.start.notes), lambda c, b: "it takes the data exactly as they are"
    ),
    Criterion(
        lambda c, b: data_shortfall(c.design.family, b),
        lambda c, b: f"it needs fewer examples, and there are {b.examples:,}",
    ),
    Criterion(_place, lambda c, b: f"{b.task} is what its family is made for"),
    Criterion(
        lambda c, b: any(untested_sizes(c.design)),
        lambda c, b: "its family was published with inputs of about this size",
    ),
    Criterion(
        lambda c, b: attention_share(c.profile) > HALF,
        lambda c, b: "its cost does not grow with the square of the input",
    ),
    Criterion(
        lambda c, b: b.examples is None and c.design.family.guide.data == "large",
        lambda c, b: "its family does not need a large dataset",
    ),
    Criterion(
        lambda c, b: bool(b.limits.given) and c.share < HALF,
        lambda c, b: f"it uses {c.share:.0%} of the budget, and the next less than half",
    ),
    Criterion(
        lambda c, b: not results_for(c.design.family.guide.results, b.task),
        lambda c, b: f"its family has published results for {b.task}",
    ),
    Criterion(lambda c, b: round(STEPS * mismatch(c)), _fitting),
    Criterion(_score, _best_published),
    Criterion(
        lambda c, b: c.profile.macs,
        lambda c, b: (
            f"the fewest MACs of those that fit equally well,"
            f" {units.macs(c.profile.macs // c.profile.batch)} for one example"
        ),
    ),
)


def rank_key(choice: Choice, brief: Brief) -> tuple[float, ...]:
    """The least is best."""
    return tuple(criterion.value(choice, brief) for criterion in CRITERIA)


def explain_first(choices: Sequence[Choice], brief: Brief) -> str:
    """Why the first of the choices, which are in order, is first: a sentence."""
    if not choices:
        return ""
    first, title = choices[0], choices[0].title
    if len(choices) == 1:
        return (
            f"{title} is the only one: no other family for {brief.task} fits these data and limits."
        )
    rows = zip(CRITERIA, rank_key(first, brief), rank_key(choices[1], brief), strict=True)
    decides = next((one for one, here, there in rows if here != there), None)
    reason = decides.why(first, brief) if decides else "it is as good as the next"
    return f"{title}, comes first: {reason}."
