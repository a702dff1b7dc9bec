"""What the architect answers, as a value that another process can send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from studio.advice.budget import Limits
from studio.advice.infeasible import UnmetError
from studio.advice.latency_limit import TimedChoice, Timing
from studio.advice.ranking import explain_first
from studio.advice.recommend import Choice, sort_choices
from studio.advice.requirements import Brief, RecommendationRequest
from studio.advice.sizing.pareto import candidates
from studio.bench.results import Measurement
from studio.family import Design
from studio.knobs import DesignError
from studio.reporting.html import html
from studio.reporting.markdown import markdown
from studio.reporting.sections import report


@dataclass(frozen=True)
class Answer:
    """The choices for a request, best first, and in one sentence why the first one is; or why there
    are none, and the design that comes nearest, where a limit is the reason. `timings` are those of
    the choices where there is a latency limit."""

    choices: tuple[Choice, ...] = ()
    why: str = ""
    timings: tuple[Timing, ...] = ()
    refusal: str = ""
    nearest: Design | None = None


def answer_of(found: Sequence[Choice | None], request: RecommendationRequest) -> Answer:
    """The answer from these choices; None entries are skipped."""
    try:
        choices = sort_choices(
            [choice for choice in found if choice], request.brief, request.strategy
        )
    except DesignError as error:
        return refusal(error)
    return Answer(choices, explain_first(choices, request.brief))


def timed_answer(found: Sequence[TimedChoice], brief: Brief) -> Answer:
    """The answer of choices that meet a latency limit."""
    choices = tuple(choice for choice, _ in found)
    timings = tuple(timing for _, timing in found)
    return Answer(choices, explain_first(choices, brief), timings) if found else Answer()


def refusal(error: DesignError) -> Answer:
    """The answer where no design meets the requirements."""
    nearest = error.design if isinstance(error, UnmetError) else None
    return Answer(refusal=str(error), nearest=nearest)


@dataclass(frozen=True)
class Size:
    """A candidate as a chart draws it: what it costs (MACs and memory of one batch), without its
    layers."""

    design: Design
    params: int
    macs: int
    inference_bytes: int
    fits: bool
    best: bool


def sizes(start: Design, limits: Limits, batch: int) -> tuple[Size, ...]:
    """The sizes of a family around a design, in rising order of compute."""
    return tuple(
        Size(
            found.design,
            found.profile.params,
            found.profile.macs,
            found.profile.inference_bytes,
            found.fits,
            found.best,
        )
        for found in candidates(start, limits, batch)
    )


class Documents(NamedTuple):
    """A report as it is shown, and as a page to keep."""

    markdown: str
    html: str


def documents(
    design: Design,
    batch: int,
    measured: Measurement | None,
    brief: Brief | None,
    choice: Choice | None,
    link: str,
) -> Documents:
    """The report on a design, in both forms."""
    found = report(design, batch, measured, brief, choice, link)
    return Documents(markdown(found), html(found))
