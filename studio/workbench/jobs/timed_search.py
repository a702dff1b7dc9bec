"""A search for designs within a latency limit: sized in one process, measured in another.

This thread only waits. The sizing process says which designs it has to know the latency of, the
worker process measures them when it is their turn, and the sizing process goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping

from studio.advice.latency_limit import MAX_FAMILIES, Needed, search_step
from studio.advice.questions import Strategy
from studio.advice.ranking import explain_first
from studio.advice.recommend import Choice, choose
from studio.advice.requirements import Brief
from studio.bench.conditions import Conditions, Subject
from studio.bench.sweep import Point, sweep
from studio.family import Design
from studio.knobs import DesignError
from studio.process.backend import CallExecutor
from studio.workbench.jobs.recommendations import Answer, refusal_answer

LIMIT_S = 180.0
BUDGET_S = 3.0  # of timing, for the designs that are measured together


def timed_answer(brief: Brief, strategy: Strategy, limit_s: float, process: CallExecutor) -> Answer:
    """The first few families whose forward pass was measured within the limit (in seconds), best
    first; or why there is none."""
    choices = process.submit(_choices, brief, strategy, limit_s=LIMIT_S).result()
    if isinstance(choices, Answer):
        return choices
    found: list[Choice] = []
    refusals: list[Answer] = []
    for choice in choices:
        one = _meet_limit(choice, brief, strategy, limit_s, process)
        if isinstance(one, Answer):
            refusals.append(one)
        else:
            found.append(one)
        if len(found) == MAX_FAMILIES:
            break
    return Answer(tuple(found), explain_first(found, brief)) if found else refusals[0]


def _meet_limit(
    choice: Choice, brief: Brief, strategy: Strategy, limit_s: float, process: CallExecutor
) -> Choice | Answer:
    """The choice made to meet the limit, or why its family cannot."""
    known: dict[Design, Point] = {}
    while True:
        step = process.submit(
            _step, choice, brief, limit_s, strategy, known, limit_s=LIMIT_S
        ).result()
        if not isinstance(step, Needed):
            return step
        known |= _measure(step, Conditions(batch=brief.batch))


def _measure(needed: Needed, conditions: Conditions) -> dict[Design, Point]:
    """What the worker process has measured of these designs, or why it has not."""
    able = {d: one for d, one in needed.subjects.items() if isinstance(one, Subject)}
    points: dict[Design, Point] = {
        d: why for d, why in needed.subjects.items() if not isinstance(why, Subject)
    }
    if able:
        *_, last = sweep(tuple(able.values()), conditions, budget_s=BUDGET_S)
        points.update(zip(able, last, strict=True))
    return points


# In the sizing process; refusals come back as values.
def _choices(brief: Brief, strategy: Strategy) -> tuple[Choice, ...] | Answer:
    try:
        return tuple(choose(brief, strategy))
    except DesignError as error:
        return refusal_answer(error)


def _step(
    choice: Choice, brief: Brief, limit_s: float, strategy: Strategy, known: Mapping[Design, Point]
) -> Needed | Choice | Answer:
    try:
        return search_step(choice, brief, limit_s, strategy, known)
    except DesignError as error:
        return refusal_answer(error)
