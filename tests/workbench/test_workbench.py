"""A workbench measures in turn, once for all who ask alike, and not at all what is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import studio
from studio.bench import sweep
from studio.bench.results import Samples
from studio.bench.store import Store
from studio.process import fair_queue
from studio.process.errors import MeasureError
from studio.process.platform import Platform
from studio.workbench import workbench
from studio.workbench.jobs.benchmarkable import subject
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.pending import Failed, NotAsked, Ready, Waiting
from studio.workbench.workbench import Workbench, poll_interval_s
from studio.workbench.workload import Workload
from tests.bench import simulated
from tests.bench.simulated import Simulated, answer
from tests.process.processes import wait_until

WORKLOADS = tuple(Workload(studio.design("cnn", depth=depth)) for depth in (2, 3, 4))
OTHER = (Workload(studio.design("cnn", depth=5)),)


class Lab(NamedTuple):
    """A workbench with a worker process that the test plays, and its measurements on disk."""

    bench: Workbench
    engine: Simulated


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    made = Simulated()
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    for room in (sweep, workbench):
        monkeypatch.setattr(room, "platforms", lambda device: (Platform("Simulated", "2"),))
    yield Lab(Workbench(storage=Store(tmp_path)), made)
    made.open.set()


def restarted(lab: Lab) -> Workbench:
    """As after a new start of the studio, which finds nothing but the store."""
    return Workbench(storage=lab.bench.storage)


def is_over(job: Sweep) -> bool:
    return not isinstance(job.update(), Waiting)


def run(bench: Workbench, workloads: tuple[Workload, ...] = WORKLOADS) -> None:
    """A sweep to its end."""
    job = bench.sweep(workloads, "sweep")
    wait_until(lambda: is_over(job))


def clean(bench: Workbench) -> set[bool | None]:
    return {point.clean for w in WORKLOADS if (point := bench.measured(w))}


def test_two_sessions_share_a_job_and_one_that_cancels_takes_nothing_away(lab: Lab) -> None:
    one, other = (lab.bench.sweep(WORKLOADS, "sweep", 1.0, session) for session in ("a", "b"))
    one.cancel()
    assert is_over(one)
    lab.engine.open.set()
    wait_until(lambda: is_over(other))
    assert len([call for call in lab.engine.calls if len(call[0]) == 1]) == len(WORKLOADS)
    assert all(map(lab.bench.measured, WORKLOADS))


def test_what_the_store_knows_is_not_measured_but_asked_for_again_it_is(lab: Lab) -> None:
    lab.engine.open.set()
    run(lab.bench)
    made = len(lab.engine.calls)
    bench = restarted(lab)
    run(bench)
    assert len(lab.engine.calls) == made
    assert bench.measurements.of_one_sweep(WORKLOADS)
    bench = restarted(lab)
    run(bench, WORKLOADS[:1])
    assert len(lab.engine.calls) == made
    assert bench.measured(WORKLOADS[0])
    run(bench)
    assert len(lab.engine.calls) == made
    run(bench)
    assert len(lab.engine.calls) > made


def test_what_the_store_knows_of_a_busy_machine_is_measured_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*call: Any) -> tuple[Samples, ...]:
        return tuple(replace(s, cpus=tuple(c / 2 for c in s.cpus)) for s in answer(*call))

    lab.engine.open.set()
    with monkeypatch.context() as busy:
        busy.setattr(simulated, "answer", starved)
        run(lab.bench)
    assert clean(lab.bench) == {False}
    bench = restarted(lab)
    run(bench)
    assert clean(bench) == {True}


def test_what_is_being_measured_when_the_store_is_cleared_is_not_written(lab: Lab) -> None:
    before = lab.bench.sweep(WORKLOADS, "sweep", session="a")
    wait_until(lambda: lab.engine.most == 1)
    lab.bench.storage.clear()
    lab.engine.open.set()
    wait_until(lambda: before.progress.progress == 1.0)
    assert is_over(before)
    assert {lab.bench.point(workload) for workload in WORKLOADS} == {None}
    made = len(lab.engine.calls)
    run(lab.bench)
    assert len(lab.engine.calls) > made


def test_who_asks_after_the_store_was_cleared_gets_figures(lab: Lab) -> None:
    before = lab.bench.sweep(WORKLOADS, "sweep", session="a")
    lab.bench.storage.clear()
    after = lab.bench.sweep(WORKLOADS, "sweep", session="b")
    lab.engine.open.set()
    assert is_over(before)
    wait_until(lambda: is_over(after))
    assert all(map(lab.bench.measured, WORKLOADS))
    assert after.progress.progress == 1.0


def test_a_session_waits_for_one_round_of_another_and_not_for_its_sweep(lab: Lab) -> None:
    long = lab.bench.sweep(WORKLOADS, "sweep", 60.0, "a")
    wait_until(lambda: lab.engine.most == 1)
    short = lab.bench.sweep(OTHER, session="b")
    wait_until(lambda: short.progress.ahead == 1)
    lab.engine.open.set()
    wait_until(lambda: is_over(short))
    assert not is_over(long)
    long.cancel()


def test_to_forget_one_axis_leaves_all_else(lab: Lab) -> None:
    lab.engine.open.set()
    for workloads in (WORKLOADS, OTHER):
        run(lab.bench, workloads)
    lab.bench.forget(WORKLOADS)
    assert {lab.bench.point(workload) for workload in WORKLOADS} == {None}
    assert all(map(lab.bench.measured, OTHER))
    place, conditions = Platform("Simulated", "2"), WORKLOADS[0].conditions
    for workloads, there in ((OTHER, True), (WORKLOADS, False)):
        subjects = [subject(workload) for workload in workloads]
        assert bool(lab.bench.storage.find(subjects, conditions, [place])) == there


def test_a_latency_is_not_asked_for_waiting_ready_or_failed(lab: Lab) -> None:
    (workload,) = OTHER
    assert lab.bench.latency(workload) == NotAsked()
    job = lab.bench.sweep(OTHER)
    assert isinstance(lab.bench.latency(workload), Waiting)
    lab.engine.open.set()
    wait_until(lambda: is_over(job))
    found = lab.bench.latency(workload)
    assert isinstance(found, Ready)
    assert found.value == lab.bench.measured(workload)
    lab.bench.measurements.forget(workload)
    lab.bench.measurements.add(workload, MeasureError("no result after 30 s"))
    assert lab.bench.latency(workload) == Failed("no result after 30 s")
    giant = Workload(studio.design("attention", preset="GPT-3 shape (96 × 12288)"))
    assert isinstance(lab.bench.latency(giant), Failed)


@pytest.mark.parametrize(
    ("waiting", "poll_cost_s", "seconds"),
    [(0, 0.0, 0.7), (1, 0.0, 0.7), (40, 0.0, 1.2), (40, 0.01, 1.6), (40, 0.1, 16.0)],
)
def test_polls_are_rarer_where_many_wait_and_each_costs_more(
    waiting: int, poll_cost_s: float, seconds: float
) -> None:
    assert poll_interval_s(0.7, waiting, poll_cost_s) == pytest.approx(seconds)
