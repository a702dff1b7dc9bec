"""The architect at work: what a commission asks for is counted in a process of its own.

Sizing a task's families takes seconds of Python, which on the page's own process every slider of a
class would feel. Each family is a call of its own, so that the first choices are there while the
others are counted. An answer is shared by all sessions that ask the same.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache, lru_cache

from studio.advice.published import PublishedResult, published_results
from studio.advice.questions import Strategy
from studio.advice.recommend import Choice, choose_in_family, families_for
from studio.advice.requirements import Brief
from studio.bench.results import Measurement
from studio.family import Design, DesignError, Task
from studio.process.fair_queue import FairQueue, QueueClient
from studio.process.worker import Worker
from studio.workbench.page.requirements_form import Commission
from studio.workbench.recommendations import (
    Answer,
    Documents,
    Size,
    answer_in_time,
    answer_of,
    documents,
    sizes,
)
from studio.workbench.workload import Case

LIMIT_S = 180.0


@cache
def office() -> FairQueue:
    """The process that counts, and the queue before it; it begins when it is first asked."""
    return FairQueue(Worker())


class Search:
    """The families for a brief, each of which is counted by a call of its own."""

    def __init__(self, brief: Brief, strategy: Strategy) -> None:
        self.brief, self.strategy = brief, strategy
        self._desk = QueueClient(office())
        self._parts = [
            self._desk.submit(choose_in_family, family, brief, strategy, limit_s=LIMIT_S)
            for family in families_for(brief.task)
        ]
        self._refusal: Future[Answer] | None = None
        self._whole: Answer | None = None

    @property
    def total(self) -> int:
        return len(self._parts)

    @property
    def count(self) -> int:
        """Families that have been counted."""
        return sum(part.done() for part in self._parts)

    @property
    def is_over(self) -> bool:
        """Whether an answer was given that is the last one."""
        return self._whole is not None or (self._refusal is not None and self._refusal.done())

    @property
    def error(self) -> BaseException | None:
        """Why a family could not be counted."""
        done = [part.exception() for part in self._parts if part.done()]
        return next((error for error in done if error), None)

    def answer(self) -> Answer:
        """What has been found so far; where that is nothing in the end, why. Call it again as long
        as the search is not over."""
        if self._whole:
            return self._whole
        is_over = self.count == self.total
        found = [choice for part in self._parts if part.done() and (choice := part.result())]
        if is_over and not found and self._refusal is None:
            asked = (answer_of, (), self.brief, self.strategy)
            self._refusal = self._desk.submit(*asked, limit_s=LIMIT_S)
        if self._refusal:
            return self._refusal.result() if self._refusal.done() else Answer()
        answer = answer_of(found, self.brief, self.strategy) if found else Answer()
        self._whole = answer if is_over else None
        return answer


class Timed:
    """A search for designs within a latency, which are measured one after the other."""

    total = 1

    def __init__(self, found: Future[Answer]) -> None:
        self._found = found

    @property
    def is_over(self) -> bool:
        return self._found.done()

    @property
    def count(self) -> int:
        return int(self.is_over)

    @property
    def error(self) -> BaseException | None:
        return self._found.exception() if self.is_over else None

    def answer(self) -> Answer:
        return self._found.result() if self.is_over else Answer()


@lru_cache(maxsize=64)
def asked(commission: Commission) -> Search | Timed:
    """The search that a commission asks for. Raises DesignError for one that cannot be read."""
    brief, strategy, latency_s = commission.brief, commission.strategy, commission.latency_s
    if latency_s is None:
        return Search(brief, strategy)
    return Timed(clock().submit(answer_in_time, brief, strategy, latency_s))


@cache
def clock() -> Executor:
    """What is measured waits its turn before the one process that measures for all sessions, so it
    is asked from here, one commission at a time."""
    return ThreadPoolExecutor(1, "architect")


@lru_cache(maxsize=16)
def map_of(task: Task) -> Future[tuple[PublishedResult, ...]]:
    """What was published for a task, with what each network costs."""
    return QueueClient(office()).submit(published_results, task, limit_s=LIMIT_S)


@lru_cache(maxsize=32)
def sizes_of(start: Design, commission: Commission) -> Future[tuple[Size, ...]]:
    """The sizes of a family around a choice, with what each costs and whether it fits."""
    brief = commission.brief
    return QueueClient(office()).submit(sizes, start, brief.limits, brief.batch, limit_s=LIMIT_S)


@lru_cache(maxsize=32)
def report_on(
    case: Case, measured: Measurement | None, commission: Commission, link: str
) -> Future[Documents]:
    """The report on the case of a page, and where it is a choice for the commission, on that."""
    choice = chosen(case.design, commission)
    brief = commission.brief if choice else None
    asked = (case.design, case.batch, measured, brief, choice, link)
    return QueueClient(office()).submit(documents, *asked, limit_s=LIMIT_S)


def chosen(design: Design, commission: Commission) -> Choice | None:
    """The choice that a design is, of the answer to a commission, if there is one by now."""
    try:
        search = asked(commission) if commission.typed else None
    except DesignError:
        return None
    if search is None or search.error:
        return None
    return next((found for found in search.answer().choices if found.design == design), None)


def retry() -> None:
    """Forget the answers, among them those that failed."""
    asked.cache_clear()
    sizes_of.cache_clear()
    report_on.cache_clear()
    map_of.cache_clear()
