"""A search for designs within a latency limit: sized in one process, measured in another.

Its thread only waits. The sizing process says which designs it has to know the latency of, the
worker process measures them when it is their turn, and the sizing process goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from threading import Event, Thread
from time import monotonic
from typing import TypeVar

from studio.advice.latency_limit import Needed, TimedChoice, search_step
from studio.advice.recommend import Choice, choose
from studio.advice.requirements import RecommendationRequest
from studio.bench.conditions import Conditions, Subject
from studio.bench.sweep import Point, sweep
from studio.family import Design
from studio.knobs import DesignError
from studio.process.backend import CallExecutor
from studio.workbench.jobs.recommendations import (
    Answer,
    refusal,
    timed_answer,
)
from studio.workbench.jobs.shared_work import AWAY_S, drop, to_pending
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S
from studio.workbench.pending import Pending, Waiting

T = TypeVar("T")
BUDGET_S = 3.0  # of timing, for the designs that are measured together
MAX_FAMILIES = 3  # that meet the limit; the search then stops
CHECK_S = 0.2  # between two checks whether anybody still wants the answer


class TimedSearch:
    """The first few families whose forward pass was measured within the limit, best first; or why
    there is none.

    `sizing` answers the calls that size designs. `open_worker` connects to the process that
    measures, which takes seconds where a cluster is away.
    """

    def __init__(
        self,
        request: RecommendationRequest,
        sizing: CallExecutor,
        open_worker: Callable[[], CallExecutor],
    ) -> None:
        self._request, self._sizing, self._open_worker = request, sizing, open_worker
        self._answer: Future[Answer] = Future()
        self._progress = Waiting[Answer]()
        self._cancelled, self._polled_at = Event(), monotonic()
        Thread(target=self._run, name="timed search", daemon=True).start()

    def poll(self) -> Pending[Answer]:
        """The answer, or what has been found so far."""
        self._polled_at = monotonic()
        return to_pending(self._answer) if self._answer.done() else self._progress

    def cancel(self) -> bool:
        self._cancelled.set()
        return True

    def _run(self) -> None:
        try:
            self._answer.set_result(self._search())
        except Exception as error:  # whatever it is, whoever polls has to know
            self._answer.set_exception(error)

    def _search(self) -> Answer:
        choices = self._await(self._sizing.submit(_choices, self._request, limit_s=SIZING_LIMIT_S))
        if isinstance(choices, Answer):
            return choices
        found: list[TimedChoice] = []
        refusals: list[Answer] = []
        for tried, choice in enumerate(choices):
            so_far = timed_answer(found, self._request.brief)
            share = max(len(found) / MAX_FAMILIES, tried / len(choices))
            self._progress = Waiting(share, so_far=so_far)
            one = self._meet_limit(choice)
            if isinstance(one, Answer):
                refusals.append(one)
            else:
                found.append(one)
            if len(found) == MAX_FAMILIES:
                break
        return timed_answer(found, self._request.brief) if found else refusals[0]

    def _meet_limit(self, choice: Choice) -> TimedChoice | Answer:
        """The choice made to meet the limit, or why its family cannot."""
        known: dict[Design, Point] = {}
        while True:
            call = (_step, choice, self._request, known)
            step = self._await(self._sizing.submit(*call, limit_s=SIZING_LIMIT_S))
            if not isinstance(step, Needed):
                return step
            known |= self._measure(step)

    def _measure(self, needed: Needed) -> Mapping[Design, Point]:
        """What the worker process has measured of these designs, or why it has not."""
        able = {d: one for d, one in needed.subjects.items() if isinstance(one, Subject)}
        points: dict[Design, Point] = {
            d: why for d, why in needed.subjects.items() if not isinstance(why, Subject)
        }
        if able:
            *_, last = self._sweep(tuple(able.values()))
            points.update(zip(able, last, strict=True))
        return points

    def _sweep(self, subjects: tuple[Subject, ...]) -> Iterator[tuple[Point, ...]]:
        request = self._request
        conditions = Conditions(batch=request.brief.batch, device=request.device)
        for points in sweep(subjects, conditions, budget_s=BUDGET_S, executor=self._open_worker()):
            self._stop_if_unwanted()
            yield points

    def _await(self, call: Future[T]) -> T:
        """The result of a call. Raises CancelledError once nobody wants the answer."""
        while not wait((call,), CHECK_S).done:
            if not self._is_wanted:
                drop(call)
            self._stop_if_unwanted()
        return call.result()

    @property
    def _is_wanted(self) -> bool:
        """Whether nobody has cancelled it, and a reader still polls."""
        return not self._cancelled.is_set() and monotonic() - self._polled_at < AWAY_S

    def _stop_if_unwanted(self) -> None:
        if not self._is_wanted:
            raise CancelledError


# In the sizing process; refusals come back as values.
def _choices(request: RecommendationRequest) -> tuple[Choice, ...] | Answer:
    try:
        return tuple(choose(request.brief, request.strategy))
    except DesignError as error:
        return refusal(error)


def _step(
    choice: Choice, request: RecommendationRequest, known: Mapping[Design, Point]
) -> Needed | TimedChoice | Answer:
    assert request.max_latency_s is not None
    try:
        return search_step(
            choice, request.brief, request.max_latency_s, request.strategy, known, request.device
        )
    except DesignError as error:
        return refusal(error)
