"""What a figure that was measured on a busy machine says of an idle one."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import NamedTuple

from studio.bench.results import Measurement
from studio.bench.store import Store, store

BAND = 0.2  # either way, at the least: CPU times of runs beside busy neighbours lie so far apart


class IdleLatency(NamedTuple):
    """The expected latency in seconds, and its band."""

    seconds: float
    low: float
    high: float


def idle_latency(point: object, device: str = "cpu") -> IdleLatency | None:
    """What one that was measured under load would take on an idle machine: its CPU time, which
    others hardly stretch; None for any other figure."""
    if not isinstance(point, Measurement) or point.clean is not False or point.cpu_s is None:
        return None
    apart = 1 + max(BAND, run_to_run_deviation(point, device) or 0.0)
    return IdleLatency(point.cpu_s, point.cpu_s / apart, point.cpu_s * apart)


def run_to_run_deviation(point: Measurement, device: str) -> float | None:
    """How far two runs on this device usually lie apart (relative standard deviation), by what the
    anchor took in the sweeps so far; None where there were too few."""
    return _run_to_run_deviation(store(), device, point.device, int(monotonic()))


@lru_cache(maxsize=16)
def _run_to_run_deviation(known: Store, device: str, machine: str, second: int) -> float | None:
    """At most once a second from the disk: every bar of every look asks."""
    return known.run_to_run_deviation(device, machine)
