from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Measurement
from studio.bench.store import Store
from studio.bench.sweep import SweepJob, _merge, measure, sweep
from studio.bench.timing.timing_loop import measure_round
from studio.process.errors import MeasureError, NoMemoryError
from studio.process.worker import Worker
from tests.bench.simulated import answer, only
from tests.bench.subjects import heavy, layers, script, sleeper
from tests.process.processes import gone, wait_until

CPU = Conditions()


def test_a_known_time_is_measured(lab: Worker):
    measured = measure(sleeper(0.02), CPU, budget_s=0.3, executor=lab)
    assert 0.02 <= measured.median_s < 0.08
    assert measured.q25_s <= measured.median_s <= measured.q75_s
    assert measured.clean is False  # who sleeps does not compute
    assert measured.throughput == pytest.approx(1 / measured.median_s)


def test_a_fast_model_is_timed_in_blocks(lab: Worker):
    measured = measure(script("return x + 1"), CPU, budget_s=0.1, executor=lab)
    assert measured.median_s < 1e-3
    assert measured.runs < 1000


@pytest.mark.parametrize("conditions", [Conditions(dtype="bfloat16"), Conditions(threads=2)])
def test_conditions_reach_the_model(lab: Worker, conditions: Conditions):
    forward = "assert x.dtype is next(self.parameters()).dtype is torch.{}; "
    forward += "assert torch.get_num_threads() == {}; return self.layer(x)"
    subject = script(
        forward.format(conditions.dtype, conditions.threads), "self.layer = nn.Linear(256, 8)"
    )
    measured = measure(subject, conditions, budget_s=0.1, executor=lab)
    assert (measured.dtype, measured.threads) == (conditions.dtype, conditions.threads)


def test_the_model_is_ready_for_inference_with_random_weights(lab: Worker):
    forward = "assert not self.training and torch.is_inference_mode_enabled(); "
    forward += "assert self.layer.weight.std() > 0; assert x.shape[0] == 3; return self.layer(x)"
    subject = script(forward, "self.layer = nn.Linear(256, 8)")
    assert measure(subject, Conditions(batch=3), budget_s=0.1, executor=lab).batch == 3


@pytest.mark.skipif(sys.platform == "darwin", reason="this device is there")
def test_an_absent_device_is_named(lab: Worker):
    with pytest.raises(MeasureError, match="no MPS device here; available: cpu"):
        measure(layers(1), Conditions(device="mps"), executor=lab)


def test_points_stream_in_and_keep_their_order(lab: Worker):
    states = list(sweep([layers(2), layers(16)], CPU, budget_s=1.0, round_s=0.25, executor=lab))
    assert isinstance(states[0][0], Measurement)
    assert states[0][1] is None
    assert len(states) >= 2 + 4
    shallow, deep = figures(states[-1])
    assert deep.median_s > 2 * shallow.median_s


def test_a_point_that_fails_leaves_the_others(lab: Worker):
    broken = script("raise ValueError('no such\\nlayer')")
    hanging = sleeper(60)
    subjects = [layers(1), broken, hanging, layers(2)]
    *_, last = sweep(subjects, CPU, budget_s=0.5, limit_s=1.0, executor=lab)
    assert str(last[1]) == "the model could not be run: no such layer"
    late, _, advice = str(last[2]).partition("; ")
    assert late == "no result after 1.1 s, so the call was stopped"
    assert "smaller batch" in advice
    assert isinstance(last[0], Measurement)
    assert isinstance(last[3], Measurement)


def test_a_worker_killed_in_mid_sweep_loses_no_point(lab: Worker):
    every_run_counts = Conditions(threads=2)  # whatever else the machine does
    job = SweepJob(
        [layers(1), layers(2)], every_run_counts, budget_s=1.5, round_s=0.3, queue=only(lab)
    )
    wait_until(lambda: job.progress > 0.7)
    before, pid = figures(job.snapshot()), lab.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: job.done)
    after = figures(job.snapshot())
    assert (job.error, job.progress) == (None, 1.0)
    assert gone(pid)
    assert len(before) == len(after) == 2
    assert all(late.runs > early.runs for early, late in zip(before, after, strict=True))


def test_a_cancelled_job_stops_and_keeps_its_figures(lab: Worker):
    job = SweepJob([layers(1), sleeper(60)], CPU, queue=only(lab))
    wait_until(lambda: isinstance(job.snapshot()[0], Measurement))
    job.cancel()
    wait_until(lambda: job.done, seconds=30)
    assert lab.submit(abs, -3).result(timeout=20) == 3  # nobody sleeps there any more
    assert job.error is None
    assert 0 < job.progress < 1
    assert isinstance(job.snapshot()[0], Measurement)
    assert job.snapshot()[1] is None


def test_a_closed_sweep_asks_for_nothing_more(lab: Worker):
    points = sweep([layers(1), sleeper(60)], CPU, executor=lab)
    next(points)
    points.close()
    assert lab.submit(abs, -3).result(timeout=20) == 3


def test_a_worker_that_has_been_stopped_ends_the_job_with_a_sentence():
    stopped = Worker()
    stopped.stop()
    job = SweepJob([layers(1)], CPU, queue=only(stopped))
    wait_until(lambda: job.done)
    assert str(job.error) == "the worker process has been stopped"


def test_heavy_models_are_never_held_together(lab: Worker):
    subjects = (heavy(1, 0.6), heavy(2, 0.6))
    with pytest.raises(MeasureError, match=r"have 1.2 GB of weights, .* use fewer models"):
        lab.submit(measure_round, subjects, CPU, 0.1, 0).result()
    *_, last = sweep([*subjects, layers(1)], CPU, budget_s=0.3, round_s=0.1, executor=lab)
    assert len(figures(last)) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_a_model_beyond_the_memory_is_refused_and_the_next_is_measured(lab: Worker):
    with pytest.raises(MeasureError, match="memory ran out"):
        measure(heavy(1, 8.0), CPU, executor=lab)
    assert measure(layers(1), CPU, budget_s=0.1, executor=lab).runs >= 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_memory_that_runs_out_in_mid_sweep_costs_one_point(lab: Worker):
    job = SweepJob(
        [layers(1), heavy(2, 8.0), layers(2)], CPU, budget_s=0.3, round_s=0.1, queue=only(lab)
    )
    wait_until(lambda: job.done)
    assert (job.error, job.progress) == (None, 1.0)
    assert isinstance(job.snapshot()[1], NoMemoryError)
    assert len(figures(job.snapshot())) == 2


def test_the_anchor_is_timed_among_the_designs_of_a_job_where_there_is_room(
    lab: Worker, tmp_path: Path
):
    one, two, three = (Store(tmp_path / name) for name in "123")
    rules = {"round_s": 0.1, "queue": only(lab)}
    job = SweepJob([layers(1), layers(2)], CPU, budget_s=0.3, store=one, **rules)
    heavies = SweepJob([heavy(1, 0.99), heavy(2, 0.99)], CPU, budget_s=0.1, store=two, **rules)
    alone = SweepJob([layers(1)], CPU, budget_s=0.1, store=three, **rules)
    wait_until(lambda: job.done and heavies.done and alone.done)
    assert len(figures(job.snapshot())) == len(figures(heavies.snapshot())) == 2
    assert [kept.contents().reference_times for kept in (one, two, three)] == [1, 0, 0]


def test_times_of_two_machines_are_not_mixed():
    here, there = answer([layers(1)])[0], replace(answer([layers(1)])[0], device="Another CPU")
    assert _merge(None, here) is here
    assert len(_merge(here, here).walls) == 6
    assert _merge(here, there) is there


def test_a_text_that_is_not_python_is_one_sentence(lab: Worker):
    with pytest.raises(MeasureError, match="own code failed") as raised:
        measure(Subject("class", "Config", "Model"), CPU, executor=lab)
    assert "\n" not in str(raised.value)


def figures(points: tuple[object, ...]) -> list[Measurement]:
    return [point for point in points if isinstance(point, Measurement)]
