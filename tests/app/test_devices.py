"""On which device the page measures: those that there are, and a cluster's once it has answered."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.app.header.latency_card import conditions
from studio.app.session import FIRST
from studio.app.tabs import scaling
from studio.bench import idle_latency, sweep
from studio.bench.idle_latency import run_to_run_deviation
from studio.bench.results import Measurement
from studio.bench.store import Store
from studio.knobs import DesignError
from studio.process import backend, fair_queue, free_memory
from studio.process.backend import Platform
from studio.workbench import devices, measurements, predicted_latency
from studio.workbench.measurements import LEDGER, Watch
from studio.workbench.workload import Case
from tests.app.conftest import MAIN
from tests.bench.simulated import Simulated
from tests.process.processes import wait_until

TWO = ("cpu", "cuda:0")
ON_GPU = Case(studio.design("cnn"), device="cuda:0")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulated:
    """A machine with two devices."""
    made, kept = Simulated(TWO), Store(tmp_path)
    made.open.set()
    monkeypatch.setattr(devices, "_local", made.devices)
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    monkeypatch.setattr(sweep, "platforms", lambda device: (Platform(device, "2"),))
    monkeypatch.setattr(measurements, "store", lambda: kept)
    monkeypatch.setattr(idle_latency, "store", lambda: kept)
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: 10**12)
    return made


@pytest.mark.usefixtures("still", "two")
def test_a_device_is_chosen_and_stands_in_the_link() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    assert "device" not in app.session_state["state"].link
    app.button_group(key="device").set_value("cuda:0").run()
    assert not app.exception
    assert app.session_state["state"].case.conditions.device == "cuda:0"
    assert app.session_state["state"].link["device"] == "cuda:0"
    again = FIRST.followed({"family": "vit", "device": "cuda"})
    assert (again.case.device, again.refusal) == ("cuda:0", "")


@pytest.mark.usefixtures("two")
def test_a_device_that_is_not_there_gives_one_sentence_with_those_that_are() -> None:
    told = FIRST.followed({"device": "cuda:7"})
    assert told.case == replace(FIRST.case, device="cuda:0")  # the nearest that there is
    assert "no device 'cuda:7' to measure on; there is cpu and cuda:0" in told.refusal
    assert FIRST.turned("device", "mps").refusal


@pytest.mark.usefixtures("still")
def test_one_device_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_local", lambda: ("cpu",))
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    assert "device" not in {group.key for group in app.button_group}


def test_what_is_measured_is_measured_on_its_device(two: Simulated) -> None:
    shown = tuple(replace(ON_GPU, design=studio.design("cnn", depth=d)) for d in (2, 3))
    watch = Watch(shown, "sweep")
    wait_until(lambda: not watch.look())
    assert {asked.device for _, asked, *_ in two.calls} == {"cuda:0"}
    point = LEDGER[shown[0]]
    assert isinstance(point, Measurement)
    assert LEDGER[replace(shown[0], device="cpu")] is None
    assert "1 thread" not in scaling.legend(shown, 0)
    assert "1 thread" not in conditions(point, shown[0].threads)
    assert "1 thread" in conditions(point, Case(studio.design("cnn")).threads)


@pytest.mark.parametrize("device", TWO)
def test_runs_are_compared_with_those_of_their_device(two: Simulated, device: str) -> None:
    kept, case = measurements.store(), replace(ON_GPU, device=device)
    for _ in range(3):
        watch = Watch(tuple(replace(case, design=studio.design("cnn", depth=d)) for d in (4, 5)))
        wait_until(lambda: not watch.look())  # noqa: B023
    point = LEDGER[replace(case, design=studio.design("cnn", depth=4))]
    assert isinstance(point, Measurement)
    assert kept.run_to_run_deviation(device, point.device) is not None
    assert run_to_run_deviation(point, device) is not None
    (other,) = set(TWO) - {device}
    assert run_to_run_deviation(point, other) is None


def test_each_device_is_calibrated_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(predicted_latency, "_calibrations", {})
    monkeypatch.setattr(
        predicted_latency, "queue_client", lambda device, session: asked.append(device)
    )
    for device in TWO:
        predicted_latency.begin_calibration(replace(ON_GPU, device=device))
    wait_until(lambda: all(made.done() for made in predicted_latency._calibrations.values()))
    assert asked == list(TWO)
    assert set(predicted_latency._calibrations) == {(device, "float32") for device in TWO}


@pytest.mark.usefixtures("still")
def test_the_scaling_tab_asks_for_the_limits_of_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []
    monkeypatch.setattr(scaling, "begin_calibration", asked.append)
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["family"], app.query_params["preset"] = "gpt", "GPT-3 175B"
    app.run()
    assert not app.exception
    assert {case.design.preset.name for case in asked if case.design.preset} == {"GPT-3 175B"}


def test_the_page_does_not_wait_for_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = Event(), []

    def slow() -> tuple[str, ...]:
        asked.append(1)
        answers.wait()
        return ("cuda:0", "cuda:1")

    monkeypatch.setattr(backend, "scheduler_address", lambda: "tcp://127.0.0.1:1")
    monkeypatch.setattr(backend, "devices", slow)
    monkeypatch.setattr(devices, "_answers", dict[str, Future[tuple[str, ...]]]())
    assert (devices.known(), devices.default(), devices.read("cuda")) == ((), "cpu", "cuda")
    before = FIRST.followed({"device": "cuda:1"})
    assert before.case.device == "cuda:1"
    answers.set()
    wait_until(lambda: devices.known() != ())
    assert len(asked) == 1
    assert before.placed() is before
    moved = FIRST.placed()
    assert moved.case.device == devices.default() == "cuda:0"
    assert "no device 'cpu'" in moved.refusal
    with pytest.raises(DesignError, match="there is cuda:0 and cuda:1"):
        devices.read("mps")
