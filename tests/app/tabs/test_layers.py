"""The table of layers."""

from __future__ import annotations

from concurrent.futures import Future
from typing import cast

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis.cost.layer_table import layer_rows
from studio.app.tabs.layers import timing_text, total_text
from studio.bench.calibration import Calibration
from studio.bench.results import LayerTime
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.workbench import results
from studio.workbench.page_runs import PageRuns
from studio.workbench.pending import Failed, Waiting
from studio.workbench.workbench import Workbench
from studio.workbench.workload import Workload
from tests.app.conftest import MAIN, StillWorkbench
from tests.process.processes import wait_until


@pytest.mark.parametrize("family", studio.families())
def test_rows_without_rows_inside_add_up_to_the_model(family: str) -> None:
    body = results.training_trace_of(Workload(studio.design(family)))
    rows = list(layer_rows(body))
    paths = [row.path.partition(" ×")[0] for row in rows]
    blocks = {path.rpartition(".")[0] for path in paths}
    blocks |= {block for path in paths for block in _above(path)}
    last = [row for row, path in zip(rows, paths, strict=True) if path not in blocks]
    assert sum(row.params for row in last) == body.params
    assert sum(row.macs for row in last) == body.macs
    assert sum(row.saved_bytes for row in last) == body.saved_bytes


def _above(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


@pytest.mark.usefixtures("still")
def test_the_total_stands_beneath_the_table() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["family"], app.query_params["tab"] = "recurrent", "Layers"
    app.run()
    body = results.training_trace_of(Workload(studio.design("recurrent")))
    assert f"{body.params:,} parameters" in total_text(body)
    assert any(total_text(body) in caption.value for caption in app.caption)


def test_times_say_how_they_were_come_by(bench: StillWorkbench) -> None:
    workload = Workload(studio.design("vit"), dtype="bfloat16")
    bench.times[workload] = {}
    assert timing_text(workload) == ""
    bench.times[workload] = {"": LayerTime(0.0, 0.0123, 1)}
    assert "12.3 ms per forward pass, bfloat16, 1 thread" in timing_text(workload)


def test_times_under_load_say_so_and_can_be_taken_again(bench: StillWorkbench) -> None:
    workload = Workload(studio.design("vit"))
    bench.times[workload] = {"": LayerTime(0.0, 0.0123, 1, clean=False)}
    assert "1 thread, under load" in timing_text(workload)
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["tab"] = "Layers"
    again = app.run().button(key="time-layers")
    assert (again.label, again.disabled) == ("Benchmark layers again", False)
    again.click().run()
    assert bench.started == [workload]


def away(device: str = "cpu", session: str = "", **_: object) -> CallExecutor:
    raise MeasureError("no scheduler answers")


def test_where_nothing_measures_there_is_a_sentence() -> None:
    bench, workload = Workbench(queue=away), Workload(studio.design("vit"))
    bench.start_layer_times(workload)
    wait_until(lambda: not isinstance(bench.layer_times(workload), Waiting))
    assert bench.layer_times(workload) == Failed("no scheduler answers")
    assert not bench.known_layer_times(workload)


class Calibrating:
    """Tells the same rates at once."""

    def submit(self, *_: object, **__: object) -> Future[Calibration]:
        task = Future[Calibration]()
        rates = {"flops_per_s": 1e11, "bytes_per_s": 1e10, "seconds_per_op": 1e-6}
        task.set_result(Calibration(**rates, device="Simulated", dtype="float32", threads=1))
        return task


def test_a_calibration_waits_for_nothing_and_one_that_failed_is_tried_again() -> None:
    asked: list[str] = []

    def queue(device: str = "cpu", session: str = "", **_: object) -> CallExecutor:
        asked.append(device)
        return away(device, session) if len(asked) == 1 else cast(CallExecutor, Calibrating())

    bench, workload = Workbench(queue=queue), Workload(studio.design("vit"))
    bench.start_calibration(workload)
    assert bench.device(workload) is None
    wait_until(lambda: bool(asked))

    def is_known() -> bool:
        bench.start_calibration(workload)
        return bench.device(workload) is not None

    wait_until(is_known)
    tries = len(asked)
    bench.start_calibration(workload)
    assert (tries, len(asked)) == (2, 2)


def test_a_calibration_that_nobody_waits_for_any_more_is_not_begun() -> None:
    """A visitor has left before the page was there; the next one has it."""
    asked: list[str] = []

    class Runs(PageRuns):
        def is_connected(self, session: str) -> bool:
            return session == "reader"

    def queue(device: str = "cpu", session: str = "", **_: object) -> CallExecutor:
        asked.append(device)
        return cast(CallExecutor, Calibrating())

    bench, workload = Workbench(Runs(), queue=queue), Workload(studio.design("vit"))
    bench.start_calibration(workload, "one who left")

    def is_known() -> bool:
        bench.start_calibration(workload, "reader")
        return bench.device(workload) is not None

    wait_until(is_known)
    assert len(asked) == 1


def test_to_forget_an_axis_is_to_forget_the_times_of_its_layers_too(
    bench: StillWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = Workload(studio.design("vit"))
    bench.times[workload] = {"": LayerTime(0.0, 0.0123, 1)}
    bench.measurements.add(workload, MeasureError("failed"))
    whole: list[str] = []  # in a browser the click runs the chart alone, and not the page's top
    monkeypatch.setattr("studio.app.session.request_page", lambda: whole.append("page"))
    AppTest.from_file(str(MAIN), default_timeout=60).run().button(key="forget").click().run()
    assert not bench.times
    assert bench.point(workload) is None
    assert whole == ["page"]
