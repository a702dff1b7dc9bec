"""`studio architect`: from a task and a budget to designs that meet it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from studio import options, tables
from studio.cli.output import as_json, say
from studio.measure.request import Conditions

if TYPE_CHECKING:
    from studio.advice.brief import Brief
    from studio.advice.choice import Choice
    from studio.advice.latency import Timing


def architect(arguments: argparse.Namespace) -> str:
    """Recommend designs for a task and a budget, best first, with reasons."""
    from studio.advice.brief import Brief
    from studio.advice.choice import choose
    from studio.advice.limits import Limits

    brief = Brief(
        task=arguments.task,
        limits=Limits(
            params=arguments.max_params,
            macs=arguments.max_macs,
            inference_bytes=arguments.max_memory,
            training_bytes=arguments.max_training_memory,
        ),
        settings={n: v for n in options.SETTINGS if (v := getattr(arguments, n)) is not None},
        examples=arguments.examples,
        batch=arguments.batch,
    )
    limit_s: float | None = arguments.max_latency_ms
    timed = [] if limit_s is None else _fast(brief, limit_s, arguments)
    choices = [choice for choice, _ in timed] or choose(brief, arguments.strategy)
    if arguments.json:
        latencies = [{"latency": timing.to_dict()} for _, timing in timed] or [{}] * len(choices)
        return as_json(
            {
                "task": brief.task,
                "limits": brief.limits.given | ({} if limit_s is None else {"latency_s": limit_s}),
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
            c.share if brief.limits.given else 0.0,
            c.cost,
            c.reasons,
            (*c.doubts, *c.notes),
        )
        for c in choices
    ]
    return tables.choices(told)


def _fast(
    brief: Brief, limit_s: float, arguments: argparse.Namespace
) -> tuple[tuple[Choice, Timing], ...]:
    from studio.advice.latency import chosen, stopwatch
    from studio.measure.engine import device_named

    conditions = Conditions(batch=brief.batch, device=device_named(arguments.device))
    say("measuring a few designs of each family, a quarter of a minute for each")
    return chosen(brief, limit_s, stopwatch(conditions), arguments.strategy)
