"""`studio architect`: from a task and a budget to designs that meet it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from studio.advice.questions import LIMITS, SETTINGS
from studio.cli import tables
from studio.cli.command_class import command
from studio.cli.output import json_text, say
from studio.cli.parameters import options

if TYPE_CHECKING:
    from studio.advice.questions import Strategy
    from studio.advice.requirements import RecommendationRequest
    from studio.tasks import Task
    from studio.workbench.jobs.recommendations import Answer
    from studio.workbench.pending import Waiting

BAR = "{desc} |{bar:20}| {percentage:3.0f}%"


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
    from studio.advice.requirements import Brief, RecommendationRequest
    from studio.process.backend import canonical_device

    limits = {limit.field: amounts[_parameter("max", name)] for name, limit in LIMITS.items()}
    brief = Brief(
        task=task,
        limits=Limits(**limits),
        settings={name: value for name in SETTINGS if (value := amounts[name]) is not None},
        examples=examples,
        batch=batch,
    )
    device = canonical_device(device) if max_latency_s else device
    request = RecommendationRequest(brief, strategy, max_latency_s, device)
    found = _recommend(request)
    if as_json:
        return json_text(_json(request, found))
    table = tables.choices(found.choices, limited=bool(brief.limits.given))
    return f"{found.why}\n\n{table}"


def _parameter(*words: str) -> str:
    """The name that click gives to the value of an option."""
    return "_".join(words).replace("-", "_")


def _json(request: RecommendationRequest, found: Answer) -> dict[str, Any]:
    timed = zip_longest(found.choices, found.timings)
    return {
        "task": request.brief.task,
        "limits": _limits(request),
        "why_first": found.why,
        "choices": [
            choice.to_dict() | ({"latency": timing.to_dict()} if timing else {})
            for choice, timing in timed
        ],
    }


def _limits(request: RecommendationRequest) -> dict[str, float]:
    seconds = request.max_latency_s
    return request.brief.limits.given | ({} if seconds is None else {"latency_s": seconds})


def _recommend(request: RecommendationRequest) -> Answer:
    """The answer to a request. A terminal shows the progress. Raises DesignError where no design
    meets it."""
    from tqdm import tqdm

    from studio.knobs import DesignError
    from studio.workbench.jobs.sizing_process import InPlace, SizingProcess
    from studio.workbench.pending import wait_for
    from studio.workbench.workbench import Workbench

    bench = Workbench(sizing=SizingProcess(InPlace))
    if request.max_latency_s is not None:
        say("measuring a few designs of each family, about 15 s for each")
    with tqdm(total=1.0, bar_format=BAR, leave=False, disable=None) as bar:
        found = wait_for(lambda: bench.recommend(request), lambda so_far: _show(bar, so_far))
    if not found.choices:
        raise DesignError(found.refusal)
    return found


def _show(bar: Any, found: Waiting[Answer]) -> None:
    """What was found last, and how far the search is."""
    choices = found.so_far.choices if found.so_far else ()
    best = f", best so far {choices[0].title}" if choices else ""
    bar.set_description_str(f"sizing families{best}")
    bar.update(found.progress - bar.n)
