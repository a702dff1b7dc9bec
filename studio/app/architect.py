"""The architect at work: what a commission asks for is counted in a process of its own.

Sizing a task's families takes seconds of Python, which on the page's own process every slider of a
class would feel. An answer is shared by all sessions that ask the same.
"""

from __future__ import annotations

from concurrent.futures import Future
from functools import cache, lru_cache

from studio.advice.answer import Answer, Documents, Size, answer, documents, sizes
from studio.advice.choice import Choice
from studio.advice.tradeoff import Published, published
from studio.app.commission import Commission
from studio.app.state import Case
from studio.family import Design, DesignError, Task
from studio.measure.front import Desk, Front
from studio.measure.request import Measurement
from studio.measure.worker import Worker

LIMIT_S = 180.0


@cache
def office() -> Front:
    """The process that counts, and the queue before it; it begins when it is first asked."""
    return Front(Worker())


@lru_cache(maxsize=64)
def asked(commission: Commission) -> Future[Answer]:
    """The answer to a commission, once it is there. Raises DesignError for one that cannot be
    read."""
    return Desk(office()).submit(answer, commission.brief, commission.strategy, limit_s=LIMIT_S)


@lru_cache(maxsize=16)
def map_of(task: Task) -> Future[tuple[Published, ...]]:
    """What was published for a task, with what each network costs."""
    return Desk(office()).submit(published, task, limit_s=LIMIT_S)


@lru_cache(maxsize=32)
def sizes_of(start: Design, commission: Commission) -> Future[tuple[Size, ...]]:
    """The sizes of a family around a choice, with what each costs and whether it fits."""
    brief = commission.brief
    return Desk(office()).submit(sizes, start, brief.limits, brief.batch, limit_s=LIMIT_S)


@lru_cache(maxsize=32)
def report_on(
    case: Case, measured: Measurement | None, commission: Commission, link: str
) -> Future[Documents]:
    """The report on the case of a page, and where it is a choice for the commission, on that."""
    choice = chosen(case.design, commission)
    brief = commission.brief if choice else None
    asked = (case.design, case.batch, measured, brief, choice, link)
    return Desk(office()).submit(documents, *asked, limit_s=LIMIT_S)


def chosen(design: Design, commission: Commission) -> Choice | None:
    """The choice that a design is, of the answer to a commission, if there is one by now."""
    try:
        answer = asked(commission) if commission.typed else None
    except DesignError:
        return None
    if answer is None or not answer.done() or answer.exception():
        return None
    return next((found for found in answer.result().choices if found.design == design), None)


def retry() -> None:
    """Forget the answers, among them those that failed."""
    asked.cache_clear()
    sizes_of.cache_clear()
    report_on.cache_clear()
    map_of.cache_clear()
