"""The order of choices, and why the first one is first.

The criteria in CRITERIA are compared one after the other: first how well the family suits the task
and the data, then how well the design fits the limits. Unmodified presets come before sizes that
nobody has trained; among presets that use most of the budget, the best published result decides.
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
RESIZE_PENALTY = 0.25  # octaves, for an unpublished size
STEPS = 4  # per octave: smaller differences in mismatch do not count
ENOUGH_SHARE = 0.6  # of the budget: using more makes a preset no better

FINE_TUNING_KNOBS = ("in_channels", "num_classes")


class Criterion(NamedTuple):
    """A value by which choices are compared, smaller is better, and the reason to give if it
    decides."""

    value: Callable[[Choice, Brief], float]
    why: Callable[[Choice, Brief], str]


def data_shortfall(family: Family, brief: Brief) -> float:
    """How many times more training examples the family needs than there are, as log10."""
    if brief.examples is None:
        return 0.0
    return max(0.0, math.log10(max(1, EXAMPLES_NEEDED[family.guide.data]) / max(1, brief.examples)))


def mismatch(choice: Choice) -> float:
    """Octaves of unused budget plus octaves from the proportions of a preset."""
    unused = math.log2(max(1, ENOUGH_SHARE / choice.share)) if choice.share else 0.0
    return unused + distance(choice.design) + RESIZE_PENALTY * _is_resized(choice)


def _result(choice: Choice, brief: Brief) -> Result | None:
    """The published result of the preset in the headline metric of the task, if the design differs
    from it at most in channels and classes, for which presets are usually fine-tuned."""
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


def _published_reason(choice: Choice, brief: Brief) -> str:
    result = _result(choice, brief)
    assert result  # the criterion decides only if the first choice has a result
    return (
        f"{result.preset} has the best published result of those that fit, {format_result(result)}"
    )


def _task_position(choice: Choice, brief: Brief) -> float:
    return choice.design.family.guide.tasks.index(brief.task)


def _fit_reason(choice: Choice, brief: Brief) -> str:
    if not brief.limits.given:
        return f"it has the proportions of {choice.preset.name}"
    what = "a published preset" if not _is_resized(choice) else "close to a published preset"
    return f"it is {what} and uses {choice.share:.0%} of the budget"


def _is_resized(choice: Choice) -> bool:
    """True if a depth or a width differs from the preset."""
    here = choice.design
    there = Design(here.family, choice.preset.config)
    return any(
        name not in there.knobs or here.value(name) != there.value(name)
        for name in size_knobs(here)
    )


CRITERIA = (
    Criterion(lambda c, b: len(c.start.notes), lambda c, b: "it takes the data as specified"),
    Criterion(
        lambda c, b: data_shortfall(c.design.family, b),
        lambda c, b: f"it needs less training data, and there are {b.examples:,} examples",
    ),
    Criterion(_task_position, lambda c, b: f"its family is designed for {b.task}"),
    Criterion(
        lambda c, b: any(untested_sizes(c.design)),
        lambda c, b: "its family was published with inputs of about this size",
    ),
    Criterion(
        lambda c, b: attention_share(c.profile) > HALF,
        lambda c, b: "its cost does not grow with the square of the input size",
    ),
    Criterion(
        lambda c, b: b.examples is None and c.design.family.guide.data == "large",
        lambda c, b: "its family does not need a large dataset",
    ),
    Criterion(
        lambda c, b: bool(b.limits.given) and c.share < HALF,
        lambda c, b: f"it uses {c.share:.0%} of the budget, the next one less than half",
    ),
    Criterion(
        lambda c, b: not results_for(c.design.family.guide.results, b.task),
        lambda c, b: f"its family has published results for {b.task}",
    ),
    Criterion(lambda c, b: round(STEPS * mismatch(c)), _fit_reason),
    Criterion(_score, _published_reason),
    Criterion(
        lambda c, b: c.profile.macs,
        lambda c, b: (
            f"it has the fewest MACs of those that fit equally well,"
            f" {units.macs(c.profile.macs // c.profile.batch)} per example"
        ),
    ),
)


def rank_key(choice: Choice, brief: Brief) -> tuple[float, ...]:
    """Sort key of a choice, smallest is best."""
    return tuple(criterion.value(choice, brief) for criterion in CRITERIA)


def explain_first(choices: Sequence[Choice], brief: Brief) -> str:
    """A sentence on why the first of the sorted choices is first; empty for none."""
    if not choices:
        return ""
    first, title = choices[0], choices[0].title
    if len(choices) == 1:
        return (
            f"{title} is the only one: no other family for {brief.task} fits these data and limits."
        )
    rows = zip(CRITERIA, rank_key(first, brief), rank_key(choices[1], brief), strict=True)
    decides = next((one for one, here, there in rows if here != there), None)
    reason = decides.why(first, brief) if decides else "it ties with the next"
    return f"{title}, comes first: {reason}."
