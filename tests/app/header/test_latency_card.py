"""The latency card of the main page, driven without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import pytest

import studio
from studio.app.header.latency_card import explained_obstacle, is_news
from studio.bench.results import Measurement
from studio.process import free_memory
from studio.process.errors import MeasureError
from studio.workbench.jobs import auto_benchmark
from studio.workbench.jobs.auto_benchmark import RETRIES, AutoBenchmark, Retries
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.pending import Ready, Waiting
from studio.workbench.workload import Workload
from tests.app.conftest import StillWorkbench, state
from tests.app.test_page import figures, opened


def test_a_measured_latency_is_shown_with_its_spread_and_device(bench: StillWorkbench) -> None:
    made = Measurement(
        median_s=0.0081, q25_s=0.0076, q75_s=0.0089, p95_s=None, runs=9, first_call_s=0.1,
        cpu_s=None, clean=True, device="Some(R) CPU @ 2 GHz", threads=1, dtype="float32",
        batch=1, torch_version="2",
    )  # fmt: skip
    workload = Workload(studio.design("cnn"))
    bench.measurements.add(workload, made)
    shown = figures(opened({"family": "cnn"}))
    for words in ("8.10 ms", "7.60 ms to 8.90 ms", "Some, 1 thread"):
        assert words in shown
    bench.measurements.forget(workload)


def test_under_load_the_expected_idle_latency_is_large_and_the_measured_one_small(
    bench: StillWorkbench,
) -> None:
    made = Measurement(
        median_s=0.6, q25_s=0.069, q75_s=0.7, p95_s=None, runs=9, first_call_s=0.1,
        cpu_s=0.05, clean=False, device="Some(R) CPU @ 2 GHz", threads=1, dtype="float32",
        batch=1, torch_version="2",
    )  # fmt: skip
    workload = Workload(studio.design("cnn"))
    bench.measurements.add(workload, made)
    shown = figures(opened({"family": "cnn"}))
    assert "<b>≈ 50.0 ms</b>" in shown
    assert "41.7 ms to 60.0 ms when idle" in shown
    assert "<strong>under load</strong> 600 ms</p>" in shown
    assert "benchmarked again when the machine is idle" in shown
    bench.measurements.forget(workload)


def test_a_figure_under_load_is_measured_again_when_the_machine_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = [9.0]
    monkeypatch.setattr(auto_benchmark.os, "getloadavg", lambda: (load[0], 0.0, 0.0))
    waits = Retries()
    assert not waits.is_due(0.0)
    load[0] = 0.0
    assert waits.is_due(100.0)
    assert not waits.is_due(101.0)  # not at once again
    tried = [waits.is_due(200.0 + 100 * i) for i in range(10)]
    assert tried.count(True) == RETRIES - 1


def test_the_charts_get_the_first_measurement_and_a_better_one() -> None:
    idle = Measurement(
        median_s=0.6, q25_s=0.5, q75_s=0.7, p95_s=None, runs=9, first_call_s=0.1,
        cpu_s=0.05, clean=True, device="Some(R) CPU @ 2 GHz", threads=1, dtype="float32",
        batch=1, torch_version="2",
    )  # fmt: skip
    loaded = replace(idle, clean=False)
    assert is_news(None, loaded)
    assert is_news(None, idle)
    assert is_news(loaded, idle)
    assert not is_news(None, None)
    assert not is_news(loaded, loaded)
    assert not is_news(idle, idle)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("family", ["mask_rcnn", "detr"])
def test_a_large_model_is_timed_when_one_presses(family: str) -> None:
    app = opened({"family": family})
    assert "press Benchmark" in figures(app)
    assert any(button.label == "Benchmark" for button in app.button)


@pytest.mark.usefixtures("still")
def test_a_model_too_large_to_measure_is_analysed_all_the_same() -> None:
    app = opened({"family": "attention", "preset": "GPT-3 shape (96 × 12288)"})
    assert not app.exception
    assert "175 B" in figures(app)
    assert "to be measured, this machine has" in figures(app)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_where_memory_is_short_the_nearest_batch_that_fits_is_named(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: 10**9)
    link = {"family": "cnn", "mode": mode}
    shown = figures(opened(link | {"batch": "1024"}))
    (batch,) = set(re.findall(r"has 1.0 GB free; the nearest that fits is batch=(\d+)", shown))
    assert "to be measured" not in figures(opened(link | {"batch": batch}))
    assert "to be measured" in figures(opened(link | {"batch": str(int(batch) + 1)}))


def test_the_card_looks_again_while_the_nearest_batch_is_searched(
    bench: StillWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: 10**9)
    monkeypatch.setattr(bench, "explain_obstacle", lambda *_: Waiting())
    app = opened({"family": "cnn", "batch": "1024"})
    assert "has 1.0 GB free" in figures(app)
    assert "nearest that fits" not in figures(app)
    assert isinstance(explained_obstacle(state(app).workload), Waiting)


def test_a_measurement_that_failed_can_be_asked_for_again(bench: StillWorkbench) -> None:
    workload = Workload(studio.design("cnn", depth=2))
    bench.measurements.add(workload, MeasureError("no result after 30 s"))
    app = opened(workload.design.to_query())
    assert "no result after 30 s" in figures(app)
    app.button(key="measure").click().run()
    assert bench.point(workload) is None
    assert "benchmarking …" in figures(app)


def test_a_measurement_that_is_over_writes_its_figure_once(bench: StillWorkbench) -> None:
    workload = Workload(studio.design("cnn", depth=4))
    benchmark = AutoBenchmark(workload, job=cast(Sweep, Over(workload, bench)))
    benchmark.update(None, pytest.fail, may_start=False, rest_s=0.0)
    assert isinstance(bench.point(workload), MeasureError)
    bench.measurements.forget(workload)
    benchmark.update(None, pytest.fail, may_start=False, rest_s=0.0)
    assert bench.point(workload) is None


def test_it_measures_once_the_knobs_have_rested() -> None:
    started: list[str] = []
    benchmark = AutoBenchmark(Workload(studio.design("cnn")))

    def start() -> Sweep:
        started.append("job")
        return cast(Sweep, Over(benchmark.workload, StillWorkbench()))

    benchmark.update(None, start, may_start=True, rest_s=60.0)
    benchmark.update(None, start, may_start=False, rest_s=0.0)
    assert not started
    benchmark.update(None, start, may_start=True, rest_s=0.0)
    assert started == ["job"]


class Over:
    """A sweep that has ended."""

    def __init__(self, workload: Workload, bench: StillWorkbench) -> None:
        self.workload, self.bench = workload, bench

    def update(self) -> Ready[tuple[Workload, ...]]:
        self.bench.measurements.add(self.workload, MeasureError("old"))
        return Ready((self.workload,))
