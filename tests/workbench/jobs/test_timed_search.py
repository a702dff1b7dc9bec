"""A latency limit is met by designs that were sized in one place and measured in another."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

import pytest

from studio.advice.requirements import Brief
from studio.analysis.cost.profiler import profile
from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Measurement
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.workbench.jobs import timed_search
from studio.workbench.jobs.timed_search import timed_answer

BRIEF = Brief(task="time-series")
SECONDS_A_MAC = 1e-9


class Sizing:
    """The sizing process: what goes in and comes out has to be picklable, but is not pickled."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.macs: dict[str, int] = {}  # of the designs that are to be measured, by script

    def submit(self, function: Any, /, *arguments: Any, limit_s: float) -> Future[Any]:
        self.calls.append(function.__name__)
        future: Future[Any] = Future()
        found = function(*arguments)
        for design, subject in getattr(found, "subjects", {}).items():
            if isinstance(subject, Subject):
                self.macs[subject.source] = profile(design).macs
        future.set_result(found)
        return future


def measurement(seconds: float) -> Measurement:
    return Measurement(
        median_s=seconds, q25_s=seconds, q75_s=seconds, p95_s=None, runs=9, first_call_s=0.1,
        cpu_s=seconds, clean=True, device="CPU", threads=1, dtype="float32", batch=1,
        torch_version="2",
    )  # fmt: skip


@pytest.fixture
def sizing(monkeypatch: pytest.MonkeyPatch) -> Sizing:
    made = Sizing()

    def sweep(
        subjects: Sequence[Subject], conditions: Conditions, *, budget_s: float
    ) -> list[tuple[Measurement, ...]]:
        assert conditions == Conditions(batch=1)
        return [tuple(measurement(SECONDS_A_MAC * made.macs[s.source]) for s in subjects)]

    monkeypatch.setattr(timed_search, "sweep", sweep)
    return made


def test_the_designs_take_no_longer_than_asked(sizing: Sizing) -> None:
    found = timed_answer(BRIEF, "proportions", 0.02, cast(CallExecutor, sizing))
    assert found.choices
    assert found.why
    for choice in found.choices:
        assert SECONDS_A_MAC * choice.profile.macs <= 0.02
        assert any("measured" in reason for reason in choice.reasons)
    assert sizing.calls[0] == "_choices"
    assert set(sizing.calls[1:]) == {"_step"}


def test_a_limit_that_no_design_meets_is_refused_in_one_sentence(sizing: Sizing) -> None:
    found = timed_answer(BRIEF, "proportions", 1e-9, cast(CallExecutor, sizing))
    assert not found.choices
    assert "cannot be met" in found.refusal


def test_a_sizing_process_that_fails_is_no_answer(sizing: Sizing) -> None:
    class Broken(Sizing):
        def submit(self, function: Any, /, *arguments: Any, limit_s: float) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(MeasureError("the process ended"))
            return future

    with pytest.raises(MeasureError, match="the process ended"):
        timed_answer(BRIEF, "proportions", 0.02, cast(CallExecutor, Broken()))
