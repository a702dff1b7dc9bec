"""A Dask cluster on loopback: a scheduler and two workers, and what happens when they go away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from socket import gethostname
from threading import Thread

import pytest

from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.bench.sweep import SweepJob, measure
from studio.process.backend import Backend, backend, backends, devices, platforms
from studio.process.dask_backend import disconnect
from studio.process.errors import MeasureError
from studio.process.fair_queue import queue_client
from studio.process.platform import local_platform
from studio.process.worker import NoWorkerError, worker
from tests.bench.simulated import only
from tests.bench.subjects import layers
from tests.process.processes import gone, wait_until

ROOT = Path(__file__).parents[2]
CPU = Conditions(threads=2)  # every run counts, whatever else the machine does


@pytest.fixture(scope="module", autouse=True)
def _disconnected() -> Iterator[None]:
    """Threads of a connection draw random numbers, and Hypothesis takes that for a strategy's."""
    yield
    disconnect()


def test_without_a_scheduler_it_is_the_local_worker(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("STUDIO_SCHEDULER", raising=False)
    assert backend("cpu") is worker("cpu")
    assert "cpu" in backend("cpu").devices()
    assert platforms("cpu") == (local_platform("cpu"),)
    with pytest.raises(MeasureError, match="no device nosuch"):
        backend("nosuch")


def test_the_extra_is_named_where_it_is_missing():
    code = (
        "import sys; sys.modules['distributed'] = None;"
        "from studio.process.backend import backend; backend()"
    )
    environment = {**os.environ, "STUDIO_SCHEDULER": "tcp://127.0.0.1:1"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "NoWorkerError: STUDIO_SCHEDULER names a cluster, which needs" in run.stderr


class Cluster:
    """A scheduler and its workers, as processes of this test."""

    def __init__(self, folder: Path) -> None:
        self.file, self.log = folder / "scheduler.json", (folder / "log").open("w")
        self.processes = [
            self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        ]
        wait_until(self.file.exists)
        wait_until(lambda: bool(self.file.read_text()))
        self.address: str = json.loads(self.file.read_text())["address"]

    def start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", role, "--host", "127.0.0.1", "--no-dashboard"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("STUDIO_SCHEDULER", None)
        return subprocess.Popen(
            [*command, *options], env=environment, cwd=ROOT, stdout=self.log, stderr=self.log
        )

    def work(self) -> None:
        options = ("--nthreads", "1", "--no-nanny", "--resources", "cpu=1")
        self.processes.append(self.start("worker", self.address, *options))

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(20)
        self.log.close()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    made = Cluster(tmp_path)
    monkeypatch.setenv("STUDIO_SCHEDULER", made.address)
    try:
        for _ in range(2):
            made.work()
        wait_until(lambda: _count() == 2)
        yield made
    finally:
        made.end()


def _count() -> int:
    try:
        return len(backends("cpu"))
    except MeasureError:  # before the first has come
        return 0


def home_of(engine: Backend) -> tuple[int, int]:
    """The process of the Dask worker, and that of its measuring child."""
    child = engine.submit(os.getpid).result(timeout=60)
    parent = engine.submit(os.getppid).result(timeout=60)
    return parent, child


def test_a_sweep_survives_a_dask_worker(cluster: Cluster):
    homes = {home_of(e)[0]: home_of(e)[1] for e in backends("cpu")}
    assert homes.keys() == {process.pid for process in cluster.processes[1:]}
    chosen = queue_client("cpu")
    subjects = [layers(i) for i in (1, 2, 3, 4)]
    job = SweepJob(subjects, CPU, budget_s=2.0, round_s=0.3, queue=only(chosen))
    wait_until(lambda: job.progress > 0.3)
    parent, child = home_of(chosen.queue.backend)
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: job.done)
    assert (job.error, job.progress) == (None, 1.0)
    points = [point for point in job.snapshot() if isinstance(point, Measurement)]
    assert len(points) == 4
    assert {p.device for p in points} == {f"{local_platform('cpu').machine} on {gethostname()}"}
    wait_until(lambda: gone(child))
    (other,) = set(homes) - {parent}
    assert _count() == 1
    cluster.processes[0].kill()  # the scheduler, and with it the other worker
    wait_until(lambda: gone(homes[other]), seconds=90)


def test_devices_places_failures_cancel_and_limits_are_as_they_are_here(cluster: Cluster):
    chosen = backend("cpu")
    assert chosen.devices() == devices() == ("cpu",)
    machine, version = local_platform("cpu")
    assert set(platforms("cpu")) == {(f"{machine} on {gethostname()}", version)}
    with pytest.raises(MeasureError, match=r"no device cuda:1; it has cpu"):
        backend("cuda:1")
    with pytest.raises(MeasureError, match=r"could not be run: .*three"):
        chosen.submit(int, "three").result(timeout=60)
    with pytest.raises(MeasureError, match=r"no result after 0\.3 s"):
        chosen.submit(time.sleep, 60, limit_s=0.3).result(timeout=60)
    child = home_of(chosen)[1]
    task = chosen.submit(time.sleep, 300, limit_s=300)
    time.sleep(1.0)
    assert task.cancel()
    with pytest.raises(CancelledError):
        task.result(timeout=30)
    wait_until(lambda: gone(child), seconds=20)
    assert measure(layers(1), CPU, budget_s=0.1).device == f"{machine} on {gethostname()}"
    for process in cluster.processes[1:]:
        process.kill()
        process.wait(20)
    task = chosen.submit(abs, -3)
    cluster.work()  # as a nanny does
    assert task.result(timeout=60) == 3


def test_a_scheduler_that_goes_away_ends_the_sweep_with_a_sentence(cluster: Cluster):
    pids = [home_of(e)[1] for e in backends("cpu")]
    job = SweepJob([layers(1), layers(2)], CPU, budget_s=60.0, round_s=0.3)
    wait_until(lambda: None not in job.snapshot() or job.done)
    cluster.processes[0].kill()
    wait_until(lambda: job.done, seconds=60)
    assert str(job.error) == f"the scheduler at {cluster.address} has gone away"
    assert all(isinstance(point, Measurement) for point in job.snapshot())
    job = SweepJob([layers(1)], CPU)
    wait_until(lambda: job.done, seconds=60)
    assert "no scheduler answers" in str(job.error)
    wait_until(lambda: all(gone(pid) for pid in pids), seconds=90)


def test_a_call_that_is_sent_as_the_scheduler_goes_is_told_as_that(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything else would be told of the design, and a sweep would go on without the others."""
    chosen = backend("cpu")
    client = chosen._client
    send = client.submit

    def late(*call: object, **rules: object) -> object:
        cluster.processes[0].kill()
        cluster.processes[0].wait(20)
        return send(*call, **rules)

    monkeypatch.setattr(client, "submit", late)
    for _ in range(2):  # the second time of a client that has given up
        with pytest.raises(NoWorkerError, match="has gone away"):
            chosen.submit(abs, -3).result(timeout=60)
        wait_until(lambda: client.status == "closed")
    with pytest.raises(NoWorkerError, match="no scheduler answers"):
        platforms("cpu")


def test_an_address_where_nobody_answers_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    for address in ("tcp://127.0.0.1:1", "nonsense://", "127.0.0.1", "tls://127.0.0.1:1"):
        monkeypatch.setenv("STUDIO_SCHEDULER", address)
        with pytest.raises(MeasureError, match=r"STUDIO_SCHEDULER=") as raised:
            backend()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_a_server_of_another_kind_is_one_sentence_and_no_wait_without_end(
    says: bytes, monkeypatch: pytest.MonkeyPatch
):
    """Dask itself waits for ever for the greeting of one that is silent."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    from studio.process import dask_backend

    monkeypatch.setattr(dask_backend, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=greet, args=(server, says), daemon=True).start()
        monkeypatch.setenv("STUDIO_SCHEDULER", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(NoWorkerError, match="no scheduler answers at STUDIO_SCHEDULER=tcp"):
            backend()


def greet(server: socket.socket, says: bytes) -> None:
    """Take one call, and say this."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(says)
        connection.settimeout(20)
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass


def test_a_scheduler_that_hangs_ends_the_sweep_with_a_sentence(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    from studio.process import dask_backend as room

    monkeypatch.setattr(room, "ANSWER_S", 10.0)
    job = SweepJob([layers(1), layers(2)], CPU, budget_s=60.0, round_s=0.3)
    wait_until(lambda: None not in job.snapshot() or job.done)
    cluster.processes[0].send_signal(signal.SIGSTOP)
    wait_until(lambda: job.done, seconds=60)
    assert str(job.error) == f"the scheduler at {cluster.address} has gone away"
    assert all(isinstance(point, Measurement) for point in job.snapshot())
