"""Recommendations, published results, sizes and reports, computed by the sizing process.

Each family is a call of its own, so that the first choices are there while the others are counted.
Sessions that make the same request share its result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from studio.advice.published import PublishedResult, published_results
from studio.advice.recommend import Choice, choose_in_family, families_for
from studio.advice.requirements import Brief, RecommendationRequest
from studio.bench.results import Measurement
from studio.family import Design
from studio.process.backend import CallExecutor
from studio.tasks import Task
from studio.workbench.jobs.recommendations import (
    Answer,
    Documents,
    Size,
    answer_of,
    documents,
    sizes,
)
from studio.workbench.jobs.shared_work import Call, SharedWork, drop
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S
from studio.workbench.jobs.timed_search import TimedSearch
from studio.workbench.pending import Failed, Pending, Ready, Waiting
from studio.workbench.workload import Workload

SEARCHES = 64


class FamilySearch:
    """The families for a request, each of which is sized by a call of its own."""

    def __init__(self, request: RecommendationRequest, process: CallExecutor) -> None:
        brief, strategy = request.brief, request.strategy
        self._request, self._process = request, process
        self._parts = [
            process.submit(choose_in_family, family, brief, strategy, limit_s=SIZING_LIMIT_S)
            for family in families_for(brief.task)
        ]
        self._lock = Lock()  # guards what follows
        self._refusal: Future[Answer] | None = None
        self._found: tuple[int, Answer] = (0, Answer())  # finished families, and their answer

    def poll(self) -> Pending[Answer]:
        """The answer, or what has been found so far."""
        with self._lock:
            return self._poll()

    def cancel(self) -> bool:
        for part in self._parts:
            drop(part)
        return True

    def _poll(self) -> Pending[Answer]:
        done = [part for part in self._parts if part.done() and not part.cancelled()]
        if error := next((e for part in done if (e := part.exception())), None):
            self.cancel()
            return Failed(str(error))
        if len(done) > self._found[0]:
            found = [choice for part in done if (choice := part.result())]
            self._found = len(done), answer_of(found, self._request) if found else Answer()
        answer = self._found[1]
        if len(done) < len(self._parts):
            return Waiting(len(done) / len(self._parts), so_far=answer)
        return Ready(answer) if answer.choices else self._why_none()

    def _why_none(self) -> Pending[Answer]:
        """Why nothing meets the requirements, which takes another call."""
        if self._refusal is None:
            self._refusal = self._process.submit(
                answer_of, (), self._request, limit_s=SIZING_LIMIT_S
            )
        if not self._refusal.done():
            return Waiting(1.0)
        return Call(self._refusal).poll()


class ArchitectJobs:
    """The calls of the sizing process for the architect and the report.

    `sizing` is that process, `queue` gives access to the worker process of a device; both as a
    session sees them.
    """

    def __init__(
        self, sizing: Callable[[str], CallExecutor], queue: Callable[[str, str], CallExecutor]
    ) -> None:
        self._sizing, self._queue = sizing, queue
        self._searches = SharedWork[Answer](SEARCHES)
        self._published = SharedWork[tuple[PublishedResult, ...]](16)
        self._sizes = SharedWork[tuple[Size, ...]](32)
        self._reports = SharedWork[Documents](32)

    def recommend(self, request: RecommendationRequest, session: str) -> Pending[Answer]:
        """The designs for a request, best first."""

        def start() -> FamilySearch | TimedSearch:
            process = self._sizing(session)
            if request.max_latency_s is None:
                return FamilySearch(request, process)
            return TimedSearch(request, process, lambda: self._queue(request.device, session))

        return self._searches(request, start, session)

    def published(self, task: Task) -> Pending[tuple[PublishedResult, ...]]:
        """What was published for a task, with what each network costs."""
        return self._published(
            task,
            lambda: Call(self._sizing("").submit(published_results, task, limit_s=SIZING_LIMIT_S)),
        )

    def sizes(self, start: Design, brief: Brief, session: str) -> Pending[tuple[Size, ...]]:
        """The sizes of a family around a design, with what each costs and whether it fits."""
        arguments = (start, brief.limits, brief.batch)
        return self._sizes(
            arguments,
            lambda: Call(self._sizing(session).submit(sizes, *arguments, limit_s=SIZING_LIMIT_S)),
            session,
        )

    def report(
        self,
        workload: Workload,
        measured: Measurement | None,
        request: RecommendationRequest | None,
        link: str,
        session: str,
    ) -> Pending[Documents]:
        """The report on a workload; if its design answers `request`, the report says why."""
        choice = self._recommended(workload.design, request, session) if request else None
        brief = request.brief if request and choice else None
        arguments = (workload.design, workload.batch, measured, brief, choice, link)
        return self._reports(
            (workload, measured, brief, choice is None, link),
            lambda: Call(
                self._sizing(session).submit(documents, *arguments, limit_s=SIZING_LIMIT_S)
            ),
            session,
        )

    def _recommended(
        self, design: Design, request: RecommendationRequest, session: str
    ) -> Choice | None:
        """The choice with this design in a finished answer; None if there is none. Nothing is
        measured for it."""
        if request.max_latency_s is None:
            found = self.recommend(request, session)
        else:
            found = self._searches.known(request)
        choices = found.value.choices if isinstance(found, Ready) else ()
        return next((choice for choice in choices if choice.design == design), None)
