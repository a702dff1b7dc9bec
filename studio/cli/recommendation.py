"""`studio architect`: from a task and a budget to designs that meet it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from studio.advice.questions import SETTINGS
from studio.bench.results import Conditions
from studio.cli import tables
from studio.cli.output import as_json, say

if TYPE_CHECKING:
    from studio.advice.latency_limit import Timing
    from studio.advice.questions import Strategy
    from studio.advice.recommend import Choice
    from studio.advice.requirements import Brief

BAR = "{n_fmt} of {total_fmt} families: {desc} |{bar:20}|"


def architect(arguments: argparse.Namespace) -> str:
    """Recommend designs for a task and a budget, best first, with reasons."""
    from studio.advice.budget import Limits
    from studio.advice.ranking import why_first
    from studio.advice.requirements import Brief
    from studio.advice.wording import percent
    from studio.reporting.plain_text import plain

    brief = Brief(
        task=arguments.task,
        limits=Limits(
            params=arguments.max_params,
            macs=arguments.max_macs,
            inference_bytes=arguments.max_memory,
            training_bytes=arguments.max_training_memory,
        ),
        settings={n: v for n in SETTINGS if (v := getattr(arguments, n)) is not None},
        examples=arguments.examples,
        batch=arguments.batch,
    )
    limit_s: float | None = arguments.max_latency_ms
    timed = [] if limit_s is None else _fast(brief, limit_s, arguments)
    choices = [choice for choice, _ in timed] or _counted(brief, arguments.strategy)
    if arguments.json:
        latencies = [{"latency": timing.to_dict()} for _, timing in timed] or [{}] * len(choices)
        return as_json(
            {
                "task": brief.task,
                "limits": brief.limits.given | ({} if limit_s is None else {"latency_s": limit_s}),
                "why_first": why_first(choices, brief),
                "choices": [
                    choice.to_dict() | latency
                    for choice, latency in zip(choices, latencies, strict=True)
                ],
            }
        )
    told = [
        (
            f"{c.design.family.key}: {c.title}",
            c.profile,
            percent(c.share) if brief.limits.given else "",
            c.knobs,
            plain(c.cost),
            [plain(reason) for reason in c.reasons],
            [plain(doubt) for doubt in (*c.doubts, *c.notes)],
        )
        for c in choices
    ]
    return f"{why_first(choices, brief)}\n\n{tables.choices(told)}"


def _counted(brief: Brief, strategy: Strategy) -> Sequence[Choice]:
    """The choices, best first. Meanwhile a terminal shows how far it is, and the first ones."""
    from studio.advice.recommend import best_first, of_family, suited

    found: list[Choice] = []
    with tqdm(suited(brief.task), bar_format=BAR, leave=False, disable=None) as families:
        for family in families:
            latest = f", so far {found[-1].title}" if found else ""
            families.set_description_str(f"sizing {family.title}{latest}")
            if choice := of_family(family, brief, strategy):
                found.append(choice)
    return best_first(found, brief, strategy)


def _fast(
    brief: Brief, limit_s: float, arguments: argparse.Namespace
) -> tuple[tuple[Choice, Timing], ...]:
    from studio.advice.latency_limit import chosen, stopwatch
    from studio.process.backend import canonical_device

    conditions = Conditions(batch=brief.batch, device=canonical_device(arguments.device))
    say("measuring a few designs of each family, a quarter of a minute for each")
    return chosen(brief, limit_s, stopwatch(conditions), arguments.strategy)
