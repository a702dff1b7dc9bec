"""On which device the page measures: those that there are, and a cluster's once it has answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.app import session
from studio.app.header.latency_card import conditions_text
from studio.app.tabs import scaling
from studio.bench import sweep
from studio.bench.idle_latency import run_to_run_deviation
from studio.bench.results import Measurement
from studio.bench.store import Store
from studio.knobs import DesignError
from studio.process import backend, fair_queue, free_memory
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.process.platform import Platform
from studio.workbench.devices import Devices, find_device
from studio.workbench.page.state import FIRST
from studio.workbench.pending import Waiting
from studio.workbench.workbench import Workbench
from studio.workbench.workload import Workload
from tests.app.conftest import MAIN, StillWorkbench, panels, rows_of, state, turn
from tests.bench.simulated import Simulated
from tests.process.processes import wait_until

TWO = ("cpu", "cuda:0")
ON_GPU = Workload(studio.design("cnn"), device="cuda:0")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workbench:
    """The workbench of a machine with two devices."""
    made, kept = Simulated(TWO), Store(tmp_path)
    made.open.set()
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    monkeypatch.setattr(sweep, "platforms", lambda device: (Platform(device, "2"),))
    monkeypatch.setattr("studio.bench.store.store", lambda: kept)
    monkeypatch.setattr(free_memory, "free_bytes", lambda device: 10**12)
    found = Workbench(storage=kept, list_devices=made.devices)
    monkeypatch.setattr(session, "shared_workbench", lambda: found)
    return found


@pytest.mark.usefixtures("two")
def test_a_device_is_chosen_and_stands_in_the_link(bench: StillWorkbench) -> None:
    bench.devices = Devices(lambda: TWO)
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    assert "device" not in state(app).link
    turn(app, "device", "cuda:0")
    assert state(app).workload.conditions.device == "cuda:0"
    assert state(app).link["device"] == "cuda:0"
    again = FIRST.follow_link({"family": "vit", "device": "cuda"}).on_known_device(TWO)
    assert (again.workload.device, again.refusal) == ("cuda:0", "")


def test_a_device_that_is_not_there_gives_one_sentence_with_those_that_are() -> None:
    found = FIRST.pin(ON_GPU).follow_link({"device": "cuda:7"}).on_known_device(TWO)
    assert found.workload == replace(FIRST.workload, device="cuda:0")  # the nearest that there is
    assert "no device 'cuda:7'; available: cpu, cuda:0" in found.refusal
    assert FIRST.set_knob("device", "mps").on_known_device(TWO).refusal
    assert FIRST.on_known_device(TWO) is FIRST


def test_pins_are_on_devices_that_there_are() -> None:
    (pin,) = FIRST.pin(ON_GPU).on_known_device(("cpu",)).pins
    assert pin == replace(ON_GPU, device="cpu")


def test_one_device_is_no_choice(bench: StillWorkbench) -> None:
    bench.devices = Devices(lambda: ("cpu",))
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    ((_, data),) = panels(app)
    assert "mode" in rows_of(data)
    assert "device" not in rows_of(data)


def swept(bench: Workbench, workloads: tuple[Workload, ...]) -> Measurement:
    """The measurement of the first, once all are measured."""
    job = bench.sweep(workloads, "sweep")
    wait_until(lambda: not isinstance(job.update(), Waiting))
    found = bench.measured(workloads[0])
    assert found
    return found


def test_what_is_measured_is_measured_on_its_device(two: Workbench) -> None:
    shown = tuple(replace(ON_GPU, design=studio.design("cnn", depth=d)) for d in (2, 3))
    point = swept(two, shown)
    assert two.point(replace(shown[0], device="cpu")) is None
    assert "1 thread" not in scaling.legend(shown, 0)
    assert "1 thread" not in conditions_text(point, shown[0].threads_text)
    assert "1 thread" in conditions_text(point, Workload(studio.design("cnn")).threads_text)


@pytest.mark.parametrize("device", TWO)
def test_runs_are_compared_with_those_of_their_device(two: Workbench, device: str) -> None:
    workload = replace(ON_GPU, device=device)
    designs = tuple(replace(workload, design=studio.design("cnn", depth=d)) for d in (4, 5))
    for _ in range(3):
        point = swept(two, designs)
    assert two.storage.run_to_run_deviation(device, point.device) is not None
    assert run_to_run_deviation(point, device) is not None
    (other,) = set(TWO) - {device}
    assert run_to_run_deviation(point, other) is None


def test_each_device_is_calibrated_for_itself() -> None:
    asked: list[str] = []

    def queue(device: str = "cpu", session: str = "", **_: object) -> CallExecutor:
        asked.append(device)
        raise MeasureError("none")

    bench = Workbench(queue=queue)
    for device in TWO:
        bench.start_calibration(replace(ON_GPU, device=device))
    wait_until(lambda: len(asked) == 2)
    assert asked == list(TWO)


@pytest.mark.usefixtures("still")
def test_the_scaling_tab_asks_for_the_limits_of_its_device(bench: StillWorkbench) -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["family"], app.query_params["preset"] = "gpt", "GPT-3 175B"
    app.run()
    assert not app.exception
    assert {
        workload.design.preset.name for workload in bench.calibrated if workload.design.preset
    } == {"GPT-3 175B"}


def test_the_page_does_not_wait_for_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = Event(), []

    def slow() -> tuple[str, ...]:
        asked.append(1)
        answers.wait()
        return ("cuda:0", "cuda:1")

    monkeypatch.setattr(backend, "scheduler_address", lambda: "tcp://127.0.0.1:1")
    devices = Devices(slow)
    assert devices.known() == ()
    assert find_device("cuda", ()) == "cuda"
    before = FIRST.follow_link({"device": "cuda:1"})
    assert before.workload.device == "cuda:1"
    answers.set()
    wait_until(lambda: devices.known() != ())
    assert len(asked) == 1
    assert before.on_known_device(devices.known()) is before
    moved = FIRST.on_known_device(devices.known())
    assert moved.workload.device == "cuda:0"
    assert "no device 'cpu'" in moved.refusal
    with pytest.raises(DesignError, match="available: cuda:0, cuda:1"):
        find_device("mps", devices.known())


def test_a_cluster_is_asked_again_since_its_workers_come_and_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [("cpu",), ("cpu", "cuda:0")]
    monkeypatch.setattr(backend, "scheduler_address", lambda: "tcp://127.0.0.1:1")
    devices = Devices(lambda: there.pop(0) if len(there) > 1 else there[0], max_age_s=0.0)
    wait_until(lambda: devices.known() == ("cpu",))
    wait_until(lambda: devices.known() == ("cpu", "cuda:0"))
