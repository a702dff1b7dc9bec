from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path
from queue import SimpleQueue

import pytest
import torch

from studio.process import device, worker_main
from studio.process.errors import MeasureError
from studio.process.worker import ENVIRONMENT, NICENESS, Worker, worker
from tests.process.processes import gone, wait_until


def test_environment_and_threads_are_as_promised(lab: Worker):
    before = dict(os.environ)
    seen = {name: lab.submit(os.getenv, name).result() for name in ENVIRONMENT}
    assert seen == ENVIRONMENT
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"
    assert lab.submit(torch.get_num_threads).result() == 1
    assert dict(os.environ) == before


def test_it_is_another_process_and_stays_the_same(lab: Worker):
    pids = {lab.submit(os.getpid).result() for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_calls_are_served_in_order_one_at_a_time(lab: Worker):
    served: list[int] = []
    tasks = [lab.submit(time.sleep, seconds) for seconds in (0.2, 0.0, 0.1)]
    for i, task in enumerate(tasks):
        task.add_done_callback(lambda _, i=i: served.append(i))
    wait_until(lambda: len(served) == 3)
    assert served == [0, 1, 2]


def test_what_the_code_prints_is_no_answer(lab: Worker):
    assert lab.submit(print, "not pickled").result() is None
    assert lab.submit(abs, -3).result() == 3


@pytest.mark.parametrize("call", [(int, "three"), (sys.exit, "three")])
def test_a_failure_is_one_sentence(lab: Worker, call: tuple[object, ...]):
    with pytest.raises(MeasureError, match=r"could not be run: .*three") as raised:
        lab.submit(*call).result()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("call", [(getattr, 3, "no_such_name"), (len, 3), ([].pop,)])
def test_a_defect_of_the_code_is_no_python_error_for_the_reader(lab: Worker, call):
    with pytest.raises(MeasureError, match="the model could not be run: ") as raised:
        lab.submit(*call).result()
    assert not re.search(r"Error|object|attribute|no_such_name|empty list", str(raised.value))


def test_a_killed_process_is_replaced_and_its_call_sent_again(lab: Worker):
    first = lab.warm().result()
    task = lab.submit(time.sleep, 0.5)
    wait_until(task.running)
    os.kill(first, signal.SIGKILL)
    assert task.result() is None
    assert lab.warm().result() != first
    assert gone(first)


def test_a_process_killed_while_idle_is_replaced(lab: Worker):
    os.kill(lab.warm().result(), signal.SIGKILL)
    assert lab.submit(abs, -3).result() == 3


def test_a_call_that_always_kills_is_given_up(lab: Worker):
    with pytest.raises(MeasureError, match=r"ended twice .*exit code 7"):
        lab.submit(os._exit, 7).result()


def test_a_hang_ends_at_the_limit(lab: Worker):
    pid = lab.warm().result()
    with pytest.raises(MeasureError, match=r"no result after 0\.3 s"):
        lab.submit(time.sleep, 60, limit_s=0.3).result()
    wait_until(lambda: gone(pid))


def test_cancel_ends_a_running_call_and_a_waiting_one_never_runs(lab: Worker, tmp_path: Path):
    pid = lab.warm().result()
    running, waiting = lab.submit(time.sleep, 60), lab.submit(os.mkdir, tmp_path / "ran")
    wait_until(running.running)
    assert waiting.cancel()
    assert running.cancel()
    with pytest.raises(CancelledError):
        running.result(timeout=30)
    wait_until(lambda: gone(pid))
    assert lab.submit(abs, -3).result() == 3
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_memory_beyond_the_limit_is_an_error_and_the_process_lives(lab: Worker):
    pid = lab.warm().result()
    with pytest.raises(MeasureError, match="memory ran out"):
        lab.submit(torch.zeros, 8 * 10**9 // 4).result()
    assert lab.warm().result() == pid


def test_a_process_that_is_killed_as_it_starts_is_started_again():
    """A call in flight survives the loss of its process, and then of the one that replaces it."""
    made = Worker()
    try:
        first = made.warm().result(timeout=60)
        slow = made.submit(time.sleep, 0.5)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: made.pid not in (None, first))
        starting = made.pid
        assert starting
        os.kill(starting, signal.SIGKILL)
        assert slow.result(timeout=60) is None
        assert made.pid not in (first, starting)
    finally:
        made.stop()


def test_one_worker_for_a_device(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "devices", lambda: ("cpu", "cuda:0", "cuda:1"))
    assert worker("cpu") is worker("cpu")
    assert worker("cuda") is worker("cuda:0")
    assert worker("cuda") is not worker("cuda:1")
    assert worker("cuda") is not worker("cpu")


@pytest.mark.parametrize("name", ["cpu:3", "nosuch", ""])
def test_a_device_that_is_not_there_gets_no_worker(name: str):
    threads = threading.active_count()
    with pytest.raises(MeasureError, match=r"no .* here; available: cpu"):
        worker(name)
    assert threading.active_count() == threads


def test_a_stopped_worker_leaves_no_process():
    stopped = Worker()
    pid = stopped.warm().result()
    task = stopped.submit(time.sleep, 60)
    wait_until(task.running)
    stopped.stop()
    with pytest.raises(CancelledError):
        task.result(timeout=30)
    wait_until(lambda: gone(pid))
    with pytest.raises(MeasureError, match="has been stopped"):
        stopped.warm()


def test_a_process_that_is_not_needed_keeps_no_memory():
    calls: SimpleQueue[worker_main.Call] = SimpleQueue()
    arrived = worker_main.next_call(calls, idle_s=0.01, free=lambda: calls.put((abs, (-3,))))
    assert arrived == (abs, (-3,))


CALLER = """
import sys, time
from studio.process.worker import worker

print("the page runs", flush=True)
lab = worker()
print(lab.warm().result(), flush=True)
lab.submit(time.sleep, 60)
while lab.pid and sys.argv[1:] == ["stay"]:
    time.sleep(0.1)
"""


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """A script without a `__main__` guard, such as a page or a notebook."""
    path = tmp_path / "caller.py"
    path.write_text(CALLER)
    return path


def test_no_orphan_when_the_caller_is_killed(caller: Path):
    command = [sys.executable, str(caller), "stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "the page runs\n"
        pid = int(process.stdout.readline())
        assert not gone(pid)
        process.kill()
    wait_until(lambda: gone(pid))


def test_the_caller_runs_once_and_ends_in_the_middle_of_a_call(caller: Path):
    run = subprocess.run([sys.executable, caller], capture_output=True, text=True, timeout=50)
    first, pid = run.stdout.splitlines()
    assert (run.returncode, run.stderr, first) == (0, "", "the page runs")
    wait_until(lambda: gone(int(pid)))


def test_a_caller_that_ends_at_once_leaves_no_traceback_behind():
    """Its measuring process is still at the import of torch, and then has nobody to greet."""
    code = (
        "import os; from studio.process.worker import WorkerProcess;"
        "WorkerProcess(10**9); os._exit(0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_what_torch_has_mapped_is_not_counted_against_the_limit():
    """Its CUDA build maps 3 GB, more than a small limit."""
    code = (
        "import mmap; from studio.process.worker_main import limit_memory\n"
        "mapped = mmap.mmap(-1, 4 * 2**30)\n"
        "limit_memory(2**30)\n"
        "kept = bytearray(2**29)\n"
        "try: bytearray(2**30)\n"
        "except MemoryError: print('refused')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert (run.stdout, run.stderr) == ("refused\n", "")


def test_an_interrupt_from_the_keyboard_is_for_the_caller_alone(lab: Worker):
    """A terminal sends it to the whole group of the process that it runs."""
    pid = lab.warm().result()
    assert os.getpgid(pid) != os.getpgid(0)


SERVER = """
import os, threading
from studio.process.worker import lower_priority, worker

lower_priority()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.getpriority(os.PRIO_PROCESS, 0)))
thread.start()
thread.join()
child = worker().submit(os.getpriority, os.PRIO_PROCESS, 0).result()
print(seen[0], child)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is a process's")
def test_a_server_is_nicer_than_what_it_measures():
    run = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, timeout=90)
    server, child = map(int, run.stdout.split())
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert server == min(19, here + NICENESS)
    assert child <= here
