"""What the architect is asked, answered by a process of its own.

Sizing the families for a task takes seconds of Python, which every slider of a class would feel in
the page's process. Each family is a call of its own, so that the first choices are there while the
others are counted. An answer is shared by all sessions that ask the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from time import monotonic

from studio.advice.published import PublishedResult, published_results
from studio.advice.recommend import Choice, choose_in_family, families_for
from studio.advice.requirements import Brief
from studio.bench.results import Measurement
from studio.family import Design, DesignError, Task
from studio.process.backend import CallExecutor
from studio.process.fair_queue import FairQueue, QueueClient
from studio.process.worker import Worker
from studio.workbench.jobs.recommendations import (
    Answer,
    Documents,
    Size,
    answer_of,
    documents,
    sizes,
)
from studio.workbench.jobs.tasks import RETRY_S, Tasks
from studio.workbench.jobs.timed_search import timed_answer
from studio.workbench.page.requirements_form import RequirementsForm
from studio.workbench.pending import Failed, Pending, Ready, Waiting
from studio.workbench.workload import Workload

LIMIT_S = 180.0
SEARCHES = 64


def sizing_process() -> CallExecutor:
    """A process of its own, and the queue before it."""
    return QueueClient(FairQueue(Worker()))


class Search:
    """The families for a brief, each of which is sized by a call of its own."""

    def __init__(self, form: RequirementsForm, process: CallExecutor) -> None:
        self._brief, self._strategy, self._process = form.brief, form.strategy, process
        self._parts = [
            process.submit(choose_in_family, family, self._brief, self._strategy, limit_s=LIMIT_S)
            for family in families_for(self._brief.task)
        ]
        self._refusal: Future[Answer] | None = None
        self._failed_at: float | None = None
        self._found: tuple[int, Answer] = (0, Answer())  # by how many families it is of

    def __call__(self) -> Pending[Answer]:
        """The answer, or what has been found so far."""
        done = [part for part in self._parts if part.done() and not part.cancelled()]
        if error := next((e for part in done if (e := part.exception())), None):
            return self._fail(error)
        if len(done) > self._found[0]:
            found = [choice for part in done if (choice := part.result())]
            answer = answer_of(found, self._brief, self._strategy) if found else Answer()
            self._found = len(done), answer
        answer = self._found[1]
        if len(done) < len(self._parts):
            return Waiting(len(done) / len(self._parts), so_far=answer)
        return Ready(answer) if answer.choices else self._why_none()

    @property
    def is_stale(self) -> bool:
        """Whether it failed so long ago that it is tried again."""
        return self._failed_at is not None and monotonic() - self._failed_at > RETRY_S

    def _fail(self, error: BaseException) -> Failed:
        """The other families are not sized any more."""
        if self._failed_at is None:
            self._failed_at = monotonic()
            for part in self._parts:
                part.cancel()
        return Failed(str(error))

    def _why_none(self) -> Pending[Answer]:
        """Why nothing meets the requirements, which takes another call."""
        if self._refusal is None:
            asked = (answer_of, (), self._brief, self._strategy)
            self._refusal = self._process.submit(*asked, limit_s=LIMIT_S)
        if not self._refusal.done():
            return Waiting(1.0)
        error = self._refusal.exception()
        return Failed(str(error)) if error else Ready(self._refusal.result())


class ArchitectJobs:
    """The process that sizes designs and writes reports, which `start` starts when it is first
    asked, and what it was asked."""

    def __init__(self, start: Callable[[], CallExecutor] = sizing_process) -> None:
        self._start = start
        self._lock = Lock()  # guards the searches and the start of the process
        self._searches: OrderedDict[RequirementsForm, Search] = OrderedDict()
        self._timed = Tasks[Answer](SEARCHES)
        self._published = Tasks[tuple[PublishedResult, ...]](16)
        self._sizes = Tasks[tuple[Size, ...]](32)
        self._reports = Tasks[Documents](32)

    @cached_property
    def _process(self) -> CallExecutor:
        return self._start()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """A thread that only waits: for the sizing process, and for its turn to measure."""
        return ThreadPoolExecutor(1, "architect")

    def recommend(self, form: RequirementsForm) -> Pending[Answer]:
        """The designs for the requirements of a form, best first. Raises DesignError for a form
        that cannot be read."""
        limit_s = form.latency_s
        if limit_s is not None:
            asked = (form.brief, form.strategy, limit_s, self._process)
            return self._timed(form, lambda: self._pool.submit(timed_answer, *asked))
        with self._lock:
            search = self._searches.get(form)
            if search is None or search.is_stale:
                search = self._searches[form] = Search(form, self._process)
            self._searches.move_to_end(form)
            while len(self._searches) > SEARCHES:
                self._searches.popitem(last=False)
            return search()

    def published(self, task: Task) -> Pending[tuple[PublishedResult, ...]]:
        """What was published for a task, with what each network costs."""
        return self._published(
            task, lambda: self._process.submit(published_results, task, limit_s=LIMIT_S)
        )

    def sizes(self, start: Design, brief: Brief) -> Pending[tuple[Size, ...]]:
        """The sizes of a family around a design, with what each costs and whether it fits."""
        asked = (sizes, start, brief.limits, brief.batch)
        return self._sizes(asked[1:], lambda: self._process.submit(*asked, limit_s=LIMIT_S))

    def report(
        self, workload: Workload, measured: Measurement | None, form: RequirementsForm, link: str
    ) -> Pending[Documents]:
        """The report on a workload, and where its design was recommended for a form, on that."""
        choice = self._chosen(workload.design, form)
        brief = form.brief if choice else None
        asked = (workload.design, workload.batch, measured, brief, choice, link)
        return self._reports(
            (workload, measured, form, link, choice is None),
            lambda: self._process.submit(documents, *asked, limit_s=LIMIT_S),
        )

    def _chosen(self, design: Design, form: RequirementsForm) -> Choice | None:
        """The choice that a design is, of the answer to a form, where there is one by now."""
        answer = self._known_answer(form)
        choices = answer.choices if answer else ()
        return next((choice for choice in choices if choice.design == design), None)

    def _known_answer(self, form: RequirementsForm) -> Answer | None:
        """The answer to a form, where it is there by now. Nothing is measured for it."""
        try:
            if form.latency_s is not None:
                return self._timed.known(form)
            found = self.recommend(form) if form.typed else None
        except DesignError:
            return None
        return found.value if isinstance(found, Ready) else None
