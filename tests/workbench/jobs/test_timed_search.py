"""A latency limit is met by designs that were sized in one place and measured in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from studio.advice.budget import Limits
from studio.advice.requirements import Brief, RecommendationRequest
from studio.analysis.cost.profiler import profile
from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Samples
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.workbench.jobs.recommendations import Answer
from studio.workbench.jobs.sizing_process import InPlace
from studio.workbench.jobs.timed_search import MAX_FAMILIES, TimedSearch
from studio.workbench.pending import Failed, Waiting, wait_for
from tests.process.processes import wait_until

BRIEF = Brief(task="time-series")
SECONDS_A_MAC = 1e-9


class Sizing(InPlace):
    """The sizing process, which remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.macs: dict[str, int] = {}  # of the designs that are to be measured, by script

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, limit_s: float = 1.0
    ) -> Future[Any]:
        self.calls.append(function.__name__)
        future = super().submit(function, *arguments)
        for design, subject in getattr(future.result(), "subjects", {}).items():
            if isinstance(subject, Subject):
                self.macs[subject.source] = profile(design).macs
        return future


class Measuring(InPlace):
    """The worker process, on a machine whose latency is in proportion to the MACs."""

    def __init__(self, sizing: Sizing) -> None:
        self.sizing, self.conditions = sizing, set[Conditions]()

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, limit_s: float = 1.0
    ) -> Future[Any]:
        return super().submit(self._round, *arguments[:2])

    def _round(self, subjects: Sequence[Subject], conditions: Conditions) -> tuple[Samples, ...]:
        self.conditions.add(conditions)
        return tuple(map(self._samples, subjects))

    def _samples(self, subject: Subject) -> Samples:
        times = (SECONDS_A_MAC * self.sizing.macs[subject.source],) * 9
        return Samples(
            walls=times,
            cpus=times,
            block=200,
            first_call_s=0.1,
            weight_bytes=1000,
            device="CPU",
            torch_version="2",
        )


@pytest.fixture
def sizing() -> Sizing:
    return Sizing()


def answer(sizing: Sizing, limit_s: float, brief: Brief = BRIEF) -> Answer:
    request = RecommendationRequest(brief, "proportions", limit_s)
    measuring = Measuring(sizing)
    found = wait_for(TimedSearch(request, sizing, lambda: measuring).poll)
    assert measuring.conditions <= {Conditions(batch=1)}
    return found


def test_the_designs_take_no_longer_than_asked(sizing: Sizing) -> None:
    found = answer(sizing, 0.02)
    assert 0 < len(found.choices) == len(found.timings) <= MAX_FAMILIES
    assert found.why
    for choice, timing in zip(found.choices, found.timings, strict=True):
        assert SECONDS_A_MAC * choice.profile.macs <= 0.02
        assert timing.seconds == pytest.approx(SECONDS_A_MAC * choice.profile.macs)
        assert timing.text in choice.reasons
    assert sizing.calls[0] == "_choices"
    assert set(sizing.calls[1:]) == {"_step"}


def test_other_limits_hold_too(sizing: Sizing) -> None:
    limits = Limits(params=30_000)
    found = answer(sizing, 0.5, replace(BRIEF, limits=limits))
    assert found.choices
    for choice in found.choices:
        assert choice.profile.params <= 30_000
        assert choice.profile.design == choice.design


def test_a_limit_that_no_design_meets_is_refused_in_one_sentence(sizing: Sizing) -> None:
    found = answer(sizing, 1e-9)
    assert not found.choices
    assert "cannot be met" in found.refusal


def test_a_sizing_process_that_fails_is_no_answer() -> None:
    class Broken(Sizing):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(MeasureError("the process ended"))
            return future

    with pytest.raises(MeasureError, match="the process ended"):
        answer(Broken(), 0.02)


def test_what_is_found_is_shown_and_a_search_that_nobody_wants_ends(sizing: Sizing) -> None:
    measuring, is_cancelled = Measuring(sizing), Event()

    def worker() -> CallExecutor:
        if _found(search):  # the second family waits
            is_cancelled.wait()
        return measuring

    request = RecommendationRequest(BRIEF, "proportions", 0.02)
    search = TimedSearch(request, sizing, worker)
    wait_until(lambda: _found(search) == 1)
    search.cancel()
    is_cancelled.set()
    wait_until(lambda: not isinstance(search.poll(), Waiting))
    assert isinstance(search.poll(), Failed)


def _found(search: TimedSearch) -> int:
    """How many choices are known so far."""
    found = search.poll()
    return len(found.so_far.choices) if isinstance(found, Waiting) and found.so_far else 0
