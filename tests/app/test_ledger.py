"""What the page asks for: in turn, once for all who ask alike, and not at all where it is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import studio
from studio.bench import sweep
from studio.bench.results import Measurement, Samples
from studio.bench.store import Store
from studio.process import fair_queue
from studio.process.backend import Platform
from studio.workbench import measurements
from studio.workbench.measurements import LEDGER, Watch
from studio.workbench.workload import Case
from tests.bench import simulated
from tests.bench.simulated import Simulated, answer
from tests.process.processes import wait_until

CASES = tuple(Case(studio.design("cnn", depth=depth)) for depth in (2, 3, 4))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    made, kept = Simulated(), Store(tmp_path)
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    for room in (sweep, measurements):
        monkeypatch.setattr(room, "platforms", lambda device: (Platform("Simulated", "2"),))
    monkeypatch.setattr(measurements, "store", lambda: kept)
    restart()
    yield made
    made.open.set()
    restart()


def restart() -> None:
    """As after a new start of the studio, which finds nothing but the store."""
    for case in CASES:
        LEDGER.forget(case)


def over(watch: Watch) -> bool:
    return not watch.look()


def test_two_sessions_share_a_job_and_one_that_cancels_takes_nothing_away(engine: Simulated):
    one, other = (Watch(CASES, "sweep", 1.0, session) for session in ("a", "b"))
    one.job.cancel()
    assert over(one)
    engine.open.set()
    wait_until(lambda: over(other))
    assert len([call for call in engine.calls if len(call[0]) == 1]) == len(CASES)
    assert all(isinstance(LEDGER[case], Measurement) for case in CASES)


def test_what_the_store_knows_is_not_measured_but_asked_for_again_it_is(engine: Simulated):
    engine.open.set()
    first = Watch(CASES, "sweep")
    wait_until(lambda: over(first))
    made = len(engine.calls)
    restart()
    again = Watch(CASES, "sweep")
    wait_until(lambda: over(again))
    assert len(engine.calls) == made
    assert len({LEDGER.sweep(case) for case in CASES} - {0}) == 1  # still figures of one sweep
    restart()
    alone = Watch(CASES[:1])
    wait_until(lambda: over(alone))
    assert len(engine.calls) == made
    assert isinstance(LEDGER[CASES[0]], Measurement)
    whole = Watch(CASES, "sweep")
    wait_until(lambda: over(whole))
    assert len(engine.calls) == made
    anew = Watch(CASES, "sweep")
    wait_until(lambda: over(anew))
    assert len(engine.calls) > made


def test_what_the_store_knows_of_a_busy_machine_is_measured_again(
    engine: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*call: Any) -> tuple[Samples, ...]:
        return tuple(replace(s, cpus=tuple(c / 2 for c in s.cpus)) for s in answer(*call))

    engine.open.set()
    with monkeypatch.context() as busy:
        busy.setattr(simulated, "answer", starved)
        first = Watch(CASES, "sweep")
        wait_until(lambda: over(first))
    assert {LEDGER[case].clean for case in CASES} == {False}
    restart()
    again = Watch(CASES, "sweep")
    wait_until(lambda: over(again))
    assert {LEDGER[case].clean for case in CASES} == {True}


def test_what_is_being_measured_when_the_store_is_cleared_is_not_written(engine: Simulated):
    before = Watch(CASES, "sweep", session="a")
    wait_until(lambda: engine.most == 1)
    measurements.store().clear()
    engine.open.set()
    job = before.job._shared.job
    wait_until(lambda: job.done)
    assert job.progress == 1.0
    assert over(before)
    assert {LEDGER[case] for case in CASES} == {None}
    made = len(engine.calls)
    anew = Watch(CASES, "sweep", session="a")
    wait_until(lambda: over(anew))
    assert len(engine.calls) > made


def test_who_asks_after_the_store_was_cleared_gets_figures(engine: Simulated):
    before = Watch(CASES, "sweep", session="a")
    measurements.store().clear()
    after = Watch(CASES, "sweep", session="b")
    engine.open.set()
    assert over(before)
    wait_until(lambda: over(after))
    assert all(isinstance(LEDGER[case], Measurement) for case in CASES)
    assert after.job.progress == 1.0


def test_a_session_waits_for_one_round_of_another_and_not_for_its_sweep(engine: Simulated):
    long = Watch(CASES, "sweep", 60.0, "a")
    wait_until(lambda: engine.most == 1)
    short = Watch((Case(studio.design("cnn", depth=5)),), session="b")
    wait_until(lambda: short.job.position == 1)
    engine.open.set()
    wait_until(lambda: over(short))
    assert not over(long)
    long.job.cancel()


def test_to_forget_one_axis_leaves_all_else(engine: Simulated):
    other = (Case(studio.design("cnn", depth=5)),)
    engine.open.set()
    for cases in (CASES, other):
        watch = Watch(cases, "sweep")
        wait_until(lambda watch=watch: over(watch))
    measurements.forget(CASES)
    assert {LEDGER[case] for case in CASES} == {None}
    assert all(isinstance(LEDGER[case], Measurement) for case in other)
    kept, place, conditions = measurements.store(), Platform("Simulated", "2"), CASES[0].conditions
    for cases, there in ((other, True), (CASES, False)):
        found = kept.find([measurements.subject(case) for case in cases], conditions, [place])
        assert bool(found) == there
    for case in other:
        LEDGER.forget(case)
