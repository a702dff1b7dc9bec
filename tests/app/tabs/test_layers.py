"""The table of layers."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis.cost.layer_table import layer_rows
from studio.app.diagram.layer_timing import TIMINGS, Timings
from studio.app.tabs.layers import clock, total
from studio.bench.calibration import Calibration
from studio.bench.results import LayerTime
from studio.process.errors import MeasureError
from studio.workbench import predicted_latency, results
from studio.workbench.measurements import LEDGER, Entry
from studio.workbench.workload import Case
from tests.app.conftest import MAIN
from tests.process.processes import wait_until


@pytest.mark.parametrize("family", studio.families())
def test_rows_without_rows_inside_add_up_to_the_model(family: str) -> None:
    body = results.trained(Case(studio.design(family)))
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
    body = results.trained(Case(studio.design("recurrent")))
    assert f"{body.params:,} parameters" in total(body)
    assert any(total(body) in caption.value for caption in app.caption)


def test_times_say_how_they_were_come_by(monkeypatch: pytest.MonkeyPatch) -> None:
    case, task = Case(studio.design("vit"), dtype="bfloat16"), Future[dict[str, LayerTime]]()
    monkeypatch.setattr(TIMINGS, "asked", OrderedDict({case: task}))
    assert clock(case) == ""
    task.set_result({"": LayerTime(0.0, 0.0123, 1)})
    assert "12.3 ms per forward pass, bfloat16, 1 thread" in clock(case)


@pytest.mark.usefixtures("still")
def test_times_under_load_say_so_and_can_be_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case, task = Case(studio.design("vit")), Future[dict[str, LayerTime]]()
    asked: list[Case] = []
    monkeypatch.setattr(TIMINGS, "asked", OrderedDict({case: task}))
    monkeypatch.setattr(Timings, "ask", lambda self, case, session: asked.append(case))
    task.set_result({"": LayerTime(0.0, 0.0123, 1, clean=False)})
    assert "1 thread, under load" in clock(case)
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["tab"] = "Layers"
    again = app.run().button(key="time-layers")
    assert (again.label, again.disabled) == ("Time again", False)
    again.click().run()
    assert asked == [case]


def test_where_nothing_measures_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: str) -> None:
        raise MeasureError("no scheduler answers")

    monkeypatch.setattr("studio.app.diagram.layer_timing.queue_client", away)
    timings, case = Timings(), Case(studio.design("vit"))
    timings.ask(case, "")
    wait_until(lambda: not timings.waits(case))
    assert timings.trouble(case) == "no scheduler answers"
    assert not timings.known(case)
    assert not timings.waits(case)


class Calibrating:
    """Tells the same rates at once."""

    def submit(self, *_: object, **__: object) -> Future[Calibration]:
        task = Future[Calibration]()
        rates = {"flops_per_s": 1e11, "bytes_per_s": 1e10, "seconds_per_op": 1e-6}
        task.set_result(Calibration(**rates, device="Simulated", dtype="float32", threads=1))
        return task


def test_a_calibration_waits_for_nothing_and_one_that_failed_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: str) -> None:
        raise MeasureError("no scheduler answers")

    monkeypatch.setattr(predicted_latency, "queue_client", away)
    monkeypatch.setattr(predicted_latency, "_calibrations", {})
    case = Case(studio.design("vit"))
    predicted_latency.begin_calibration(case)
    assert predicted_latency._calibrations["cpu", "float32"].exception()
    assert predicted_latency.this_device(case) is None
    monkeypatch.setattr(predicted_latency, "queue_client", lambda *_: Calibrating())
    predicted_latency.begin_calibration(case)
    wait_until(lambda: predicted_latency.this_device(case) is not None)
    known = predicted_latency._calibrations["cpu", "float32"]
    predicted_latency.begin_calibration(case)
    assert predicted_latency._calibrations["cpu", "float32"] is known


@pytest.mark.usefixtures("still")
def test_to_forget_an_axis_is_to_forget_the_times_of_its_layers_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, task = Case(studio.design("vit")), Future[dict[str, LayerTime]]()
    monkeypatch.setattr(TIMINGS, "asked", OrderedDict({case: task}))
    monkeypatch.setattr("studio.app.tabs.scaling.forget", lambda cases: None)
    monkeypatch.setitem(LEDGER._points, case, Entry(MeasureError("failed"), 0))
    whole: list[str] = []  # in a browser the click runs the chart alone, and not the page's top
    monkeypatch.setattr("studio.app.session.again", lambda: whole.append("page"))
    AppTest.from_file(str(MAIN), default_timeout=60).run().button(key="forget").click().run()
    assert not TIMINGS.waits(case)
    assert "page" in whole
