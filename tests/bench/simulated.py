"""An engine that measures nothing: every call takes 20 ms of a clock of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Samples
from studio.process.backend import CallExecutor
from studio.process.fair_queue import OpenQueue

CALL_S = 0.02


def only(executor: CallExecutor) -> OpenQueue:
    """Gives every session access to the same executor, whatever the device."""

    def open_queue(*_: object, **__: object) -> CallExecutor:
        return executor

    return open_queue


class Simulated:
    """Answers rounds in the order in which they come, once it has been opened."""

    def __init__(self, devices: tuple[str, ...] = ("cpu",)) -> None:
        self._devices = devices
        self.open = Event()
        self.calls: list[tuple[Any, ...]] = []
        self.most = 0  # calls that it had at once
        self.pending = 0
        self._queue: SimpleQueue[tuple[Future[Any], tuple[Any, ...]]] = SimpleQueue()
        Thread(target=self._serve, daemon=True).start()

    @property
    def clock_s(self) -> float:
        return CALL_S * len(self.calls)

    def submit(self, function: object, /, *arguments: Any, limit_s: float = 1.0) -> Future[Any]:
        self.pending += 1
        self.most = max(self.most, self.pending)
        future: Future[Any] = Future()
        self._queue.put((future, arguments))
        return future

    def devices(self) -> tuple[str, ...]:
        return self._devices

    def stop(self) -> None:
        self._queue.put((Future(), ()))

    def _serve(self) -> None:
        while True:
            future, arguments = self._queue.get()
            self.open.wait()
            time.sleep(CALL_S / 20)
            self.pending -= 1
            if future.set_running_or_notify_cancel():
                self.calls.append(arguments)
                future.set_result(answer(*arguments))


def answer(
    subjects: Sequence[Subject] = (),
    conditions: Conditions | None = None,
    budget_s: float = 0.0,
    seed: int = 0,
) -> tuple[Samples, ...]:
    one = Samples(
        walls=(CALL_S,) * 3, cpus=(CALL_S,) * 3, block=1, first_call_s=CALL_S, weight_bytes=1,
        device="Simulated", torch_version="2",
    )  # fmt: skip
    return (one,) * len(subjects)


def subject(name: str) -> Subject:
    return Subject(name, "Config", "Model")


class Calls(list[Any]):
    def __init__(self, most: int, gate: Event) -> None:
        super().__init__()
        self._most, self._gate = most, gate

    def append(self, call: Any) -> None:
        super().append(call)
        if len(self) == self._most:
            self._gate.clear()


class StopsAfter(Simulated):
    """Answers some calls, and then none until `open` is set again."""

    def __init__(self, count: int) -> None:
        super().__init__()

        self.calls = Calls(count, self.open)
        self.open.set()
