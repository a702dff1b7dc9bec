"""What a figure that was measured on a busy machine says of an idle one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple

from studio.app.ledger import between_runs
from studio.measure.engine import scheduler
from studio.measure.request import Measurement

BAND = 0.2  # either way, at the least: CPU times of runs beside busy neighbours lie so far apart
QUIET = 0.5  # of the cores, busy on the average of the last minute
TRIES = 5  # that are made by themselves
RETRY_S = 20.0  # between two of them


class Idle(NamedTuple):
    """The expected latency in seconds, and its band."""

    seconds: float
    low: float
    high: float


@dataclass
class Retries:
    """Measuring again by itself once the machine is quiet."""

    left: int = TRIES
    next_at: float = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether to measure now, by a clock in seconds; counts as tried if so."""
        if not self.left or now_s < self.next_at or not is_quiet():
            return False
        self.left, self.next_at = self.left - 1, now_s + RETRY_S
        return True


def idle(point: object, device: str) -> Idle | None:
    """What one that was measured under load would take on an idle machine: its CPU time, which
    others hardly stretch; None for any other figure."""
    if not isinstance(point, Measurement) or point.clean is not False or point.cpu_s is None:
        return None
    apart = 1 + max(BAND, between_runs(point, device) or 0.0)
    return Idle(point.cpu_s, point.cpu_s / apart, point.cpu_s * apart)


def is_quiet() -> bool:
    """Whether this machine has been at rest for the last minute; of a cluster it is not known."""
    if scheduler() or not hasattr(os, "getloadavg"):
        return False
    return os.getloadavg()[0] <= QUIET * (os.cpu_count() or 1)
