"""`studio architect`: from a task and a budget to designs that meet it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from studio.advice.questions import LIMITS, SETTINGS
from studio.bench.conditions import Conditions
from studio.cli import tables
from studio.cli.command_class import command
from studio.cli.output import json_text, say
from studio.cli.parameters import options

if TYPE_CHECKING:
    from studio.advice.latency_limit import Timing
    from studio.advice.questions import Strategy
    from studio.advice.recommend import Choice
    from studio.advice.requirements import Brief
    from studio.guide import Task

BAR = "{n_fmt} of {total_fmt} families: {desc} |{bar:20}|"


@command
@options.requirements
@options.batch
@options.as_json
def architect(
    task: Task,
    device: str,
    max_latency_s: float | None,
    examples: int | None,
    strategy: Strategy,
    batch: int,
    as_json: bool,
    **amounts: int | None,
) -> str:
    """Recommend designs for a task and a budget, best first, with reasons."""
    from studio.advice.budget import Limits
    from studio.advice.ranking import explain_first
    from studio.advice.requirements import Brief

    limits = {limit.field: amounts[_parameter("max", name)] for name, limit in LIMITS.items()}
    brief = Brief(
        task=task,
        limits=Limits(**limits),
        settings={name: value for name in SETTINGS if (value := amounts[name]) is not None},
        examples=examples,
        batch=batch,
    )
    timed: Sequence[tuple[Choice, Timing | None]]
    if max_latency_s is None:
        timed = [(choice, None) for choice in _within_budget(brief, strategy)]
    else:
        timed = _within_latency(brief, max_latency_s, device, strategy)
    if as_json:
        return json_text(_json(brief, max_latency_s, timed))
    choices = [choice for choice, _ in timed]
    table = tables.choices(choices, limited=bool(brief.limits.given))
    return f"{explain_first(choices, brief)}\n\n{table}"


def _parameter(*words: str) -> str:
    """The name that click gives to the value of an option."""
    return "_".join(words).replace("-", "_")


def _json(
    brief: Brief, limit_s: float | None, timed: Sequence[tuple[Choice, Timing | None]]
) -> dict[str, Any]:
    from studio.advice.ranking import explain_first

    return {
        "task": brief.task,
        "limits": brief.limits.given | ({} if limit_s is None else {"latency_s": limit_s}),
        "why_first": explain_first([choice for choice, _ in timed], brief),
        "choices": [
            choice.to_dict() | ({"latency": timing.to_dict()} if timing else {})
            for choice, timing in timed
        ],
    }


def _within_budget(brief: Brief, strategy: Strategy) -> Sequence[Choice]:
    """The choices, best first. A terminal shows the progress."""
    from studio.advice.recommend import choose_in_family, families_for, sort_choices

    found: list[Choice] = []
    with tqdm(families_for(brief.task), bar_format=BAR, leave=False, disable=None) as families:
        for family in families:
            latest = f", so far {found[-1].title}" if found else ""
            families.set_description_str(f"sizing {family.title}{latest}")
            if choice := choose_in_family(family, brief, strategy):
                found.append(choice)
    return sort_choices(found, brief, strategy)


def _within_latency(
    brief: Brief, limit_s: float, device: str, strategy: Strategy
) -> tuple[tuple[Choice, Timing], ...]:
    from studio.advice.latency_limit import choose_within_latency, stopwatch
    from studio.process.backend import canonical_device

    conditions = Conditions(batch=brief.batch, device=canonical_device(device))
    say("measuring a few designs of each family, about 15 s for each")
    return choose_within_latency(brief, limit_s, stopwatch(conditions), strategy)
