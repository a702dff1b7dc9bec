"""Measures the workload on the page by itself, once its knobs have rested."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from studio.bench.results import Measurement
from studio.bench.sweep import Point
from studio.process.backend import scheduler_address
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.pending import Waiting
from studio.workbench.workload import Workload

REST_S = 0.5  # after the last change of a page, before it is measured by itself
QUIET = 0.5  # of the cores, busy on the average of the last minute
RETRIES = 5
RETRY_S = 20.0  # between two of them


@dataclass
class Retries:
    """Measures again once the machine is quiet, a few times."""

    left: int = RETRIES
    next_at: float = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether to measure now, by a clock in seconds; counts as a retry if so."""
        if not self.left or now_s < self.next_at or not is_quiet():
            return False
        self.left, self.next_at = self.left - 1, now_s + RETRY_S
        return True


def is_quiet() -> bool:
    """Whether this machine was idle for the last minute; of a cluster that is not known."""
    if scheduler_address() or not hasattr(os, "getloadavg"):
        return False
    return os.getloadavg()[0] <= QUIET * (os.cpu_count() or 1)


def is_loaded(point: Point) -> bool:
    """Whether it was measured while the machine was busy."""
    return isinstance(point, Measurement) and point.clean is False


@dataclass
class AutoBenchmark:
    """The workload on a session's page, when it appeared, and the measurement under way.

    A session has one measurement at a time, so that a slider that is dragged on leaves no queue.
    `is_asked` says that somebody has pressed the button.
    """

    workload: Workload
    since_s: float = field(default_factory=monotonic)
    is_asked: bool = False
    job: Sweep | None = None
    retries: Retries = field(default_factory=Retries)

    def update(
        self, point: Point, start: Callable[[], Sweep], *, may_start: bool, rest_s: float
    ) -> None:
        """Take over what the measurement has found; `start` one where there is no `point` yet, or
        only one of a busy machine, `rest_s` seconds after the last change."""
        if self.job and not isinstance(self.job.update(), Waiting):
            self.job = None  # an old measurement must not overwrite newer ones
        if self.job or not may_start or monotonic() - self.since_s < rest_s:
            return
        if point is None or (is_loaded(point) and self.retries.is_due(monotonic())):
            self.job = start()
