"""The worker process, seen from its caller: one per device, kept alive.

A new process costs 2.5 s per point (importing torch), a running one 0.3 ms, with the same medians.
It is started as a program of its own. So its environment is set before torch and the allocator read
it, and, unlike a child of multiprocessing, it never runs the caller's main script (the page, a
notebook, a script without a `__main__` guard) again. It is a plain subprocess with two pipes, so it
also works within a worker of another pool.
"""

# Why not pebble's ProcessPool (5.2, tried): it has time limits and cancels a running call, but its
# workers are children of multiprocessing. They run the caller's main script again, take the
# environment of the caller, cannot be started within a daemonic worker of another pool, and finish
# a call whose caller was killed.

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from studio.process.device import devices, resolve_device
from studio.process.errors import MeasureError
from studio.process.free_memory import available_bytes

T = TypeVar("T")
Answer = tuple[bool, Any]  # success, and the result or a MeasureError

# Spinning threads turn 8 ms into 496 ms beside one busy process. The allocator would return
# and fault in again every large activation (+18 % on ResNet-18 at batch 16), and how often depends
# on what the process did before; so it keeps them. A compilation always starts without caches, and
# in this process, so that none outlives it. The profiler does not report on itself.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    "KINETO_LOG_LEVEL": "6",
}
LIMIT_S = 30.0
START_LIMIT_S = 120.0
ATTEMPTS = 2
NICENESS = 5


class NoWorkerError(MeasureError):
    """The worker process does not start, so nothing can be measured."""


class ProcessLostError(Exception):
    """The process ended before it answered; `cause` is None if nobody here ended it."""

    def __init__(self, cause: Exception | None) -> None:
        super().__init__("the worker process ended before it answered")
        self.cause = cause


class WorkerTask(Future[T]):
    """A pickled call on its way through a worker. `cancel` stops it even after it has started."""

    def __init__(self, worker: Worker, call: bytes, limit_s: float) -> None:
        super().__init__()
        self.worker, self.call, self.limit_s = worker, call, limit_s
        self.interrupted = False

    def cancel(self) -> bool:
        return super().cancel() or self.worker.interrupt(self)


class WorkerProcess:
    """One process. A process that was ended is never reused."""

    def __init__(self, memory_bytes: int) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self.cause: Exception | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "studio.process.worker_main", str(memory_bytes)],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C reaches only the caller, also while torch is imported
        )

    @property
    def alive(self) -> bool:
        return self.cause is None and self.process.poll() is None

    def ask(self, call: bytes, limit_s: float, late: Exception) -> Answer:
        """The answer to a call, or the greeting for an empty one. Raises ProcessLostError, also
        after `limit_s`."""
        assert self.process.stdin
        assert self.process.stdout
        with self._deadline(limit_s, late):
            try:
                self.process.stdin.write(call)
                self.process.stdin.flush()
                answer: Answer = pickle.load(self.process.stdout)
            except (EOFError, OSError, pickle.UnpicklingError):
                raise ProcessLostError(self.cause) from None
        return answer

    def end(self, cause: Exception) -> None:
        self.cause = cause
        self.process.kill()

    def close(self) -> int:
        """End the process and return its exit code, or minus the signal."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # unsent bytes of a call to a dead process
                pipe.close()  # type: ignore[union-attr]
        return self.process.wait()

    @contextlib.contextmanager
    def _deadline(self, limit_s: float, late: Exception) -> Iterator[None]:
        timer = threading.Timer(limit_s, self.end, (late,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


class Worker:
    """Calls functions in a process of its own, one at a time, in order.

    A call that takes too long is ended with its process; a process that dies is replaced and the
    call is sent once more. `memory_bytes` is what the process may use, by default what is free when
    it starts.
    """

    def __init__(self, memory_bytes: int | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._tasks: SimpleQueue[WorkerTask[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()  # guards the three below
        self._child: WorkerProcess | None = None
        self._current: WorkerTask[Any] | None = None
        self._stopped = False
        threading.Thread(target=self._serve, name="measure", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The id of the worker process; None if there is none."""
        child = self._child
        return child.process.pid if child and child.alive else None

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = LIMIT_S
    ) -> WorkerTask[T]:
        """Call a function that the process can import. Its failures are raised as MeasureError."""
        task: WorkerTask[T] = WorkerTask(self, pickle.dumps((function, arguments)), limit_s)
        with self._lock:
            if self._stopped:
                raise NoWorkerError("the worker process has been stopped")
            self._tasks.put(task)
        return task

    def warm(self) -> WorkerTask[int]:
        """Start the process and its import of torch, without waiting."""
        return self.submit(os.getpid)

    def devices(self) -> tuple[str, ...]:
        """The devices of this machine."""
        return devices()

    def interrupt(self, task: WorkerTask[Any]) -> bool:
        """End the process if it is running this task."""
        with self._lock:
            if task is not self._current:
                return False
            task.interrupted = True
            if self._child:
                self._child.end(CancelledError())
            return True

    def stop(self) -> None:
        """End the process; waiting calls are cancelled."""
        with self._lock:
            self._stopped = True
            if self._child:
                self._child.end(CancelledError())
        self._tasks.put(None)

    def _serve(self) -> None:
        while task := self._tasks.get():
            if task.set_running_or_notify_cancel():
                self._run(task)
        if self._child:
            self._child.close()

    def _run(self, task: WorkerTask[Any]) -> None:
        with self._lock:
            self._current = task
        try:
            well, result = self._answer(task)
        except Exception as error:  # any is for the caller; this thread serves the next call
            well, result = False, error
        with self._lock:
            self._current = None
        if well:
            task.set_result(result)
        else:
            task.set_exception(result)

    def _answer(self, task: WorkerTask[Any]) -> Answer:
        limit = f"{round(task.limit_s, 1):g} s"
        late = MeasureError(
            f"no result after {limit}, so the call was stopped; raise the limit, or use a"
            " smaller batch, resolution or width"
        )
        starts, calls = ATTEMPTS, ATTEMPTS
        while calls and starts:
            try:
                child = self._live_process(task)
            except ProcessLostError as lost:
                code, starts = self._reap(lost), starts - 1
                continue
            try:
                return child.ask(task.call, task.limit_s, late)
            except ProcessLostError as lost:
                code, calls = self._reap(lost), calls - 1
        if not starts:
            raise NoWorkerError(f"the worker process ended as it started (exit code {code})")
        raise MeasureError(
            f"the worker process ended twice without a result (exit code {code}); most likely"
            " memory ran out; a smaller batch, resolution or width needs less"
        )

    def _reap(self, lost: ProcessLostError) -> int:
        """The exit code of a lost process. Raises the reason if it was ended here."""
        assert self._child
        code = self._child.close()
        if lost.cause:
            raise lost.cause from None
        return code

    def _live_process(self, task: WorkerTask[Any]) -> WorkerProcess:
        if self._child and self._child.alive:
            return self._child
        if self._child:
            self._child.close()
        with self._lock:
            if self._stopped or task.interrupted:
                raise CancelledError
            try:
                child = self._child = WorkerProcess(self._memory_bytes or available_bytes())
            except OSError as error:
                raise NoWorkerError(f"the worker process does not start: {error}") from None
        late = NoWorkerError(f"the worker process did not start within {START_LIMIT_S:g} s")
        child.ask(b"", START_LIMIT_S, late)
        return child


_FIRST = threading.Lock()


def worker(device: str = "cpu") -> Worker:
    """The one worker of this process for a device: two at once would slow each other down.

    Raises MeasureError if this machine has no such device.
    """
    known = resolve_device(device)
    with _FIRST:
        return _worker(known)


def lower_priority() -> None:
    """Lower the priority of this process below its workers: for a server, before it starts other
    threads.

    On Linux each thread has its own priority and passes it on: the thread that starts worker
    processes exists already and keeps its own.
    """
    _worker("cpu")
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)


@cache
def _worker(device: str) -> Worker:
    made = Worker()
    atexit.register(made.stop)
    return made
