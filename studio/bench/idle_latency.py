"""An estimate of the idle latency from a measurement on a busy machine."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from studio.bench.results import Measurement

if TYPE_CHECKING:
    from studio.bench.store import Store

BAND = 0.2  # at least, up and down: the spread of CPU times on a busy machine


class IdleLatency(NamedTuple):
    """The estimated latency in seconds, and its band."""

    seconds: float
    low: float
    high: float


def idle_latency(point: object, device: str = "cpu") -> IdleLatency | None:
    """The idle latency of a design measured under load: its CPU time, which load hardly affects.
    None for any other point."""
    if not isinstance(point, Measurement) or point.clean is not False or point.cpu_s is None:
        return None
    factor = 1 + max(BAND, run_to_run_deviation(point, device) or 0.0)
    return IdleLatency(point.cpu_s, point.cpu_s / factor, point.cpu_s * factor)


def run_to_run_deviation(point: Measurement, device: str) -> float | None:
    """Relative standard deviation between runs on this device, from the reference model in the
    sweeps so far; None if there were too few."""
    from studio.bench.store import store  # with sqlite, which `studio --help` does not wait for

    return _run_to_run_deviation(store(), device, point.device, int(monotonic()))


@lru_cache(maxsize=16)
def _run_to_run_deviation(known: Store, device: str, machine: str, second: int) -> float | None:
    """Reads the disk at most once a second: every error bar of every redraw asks."""
    return known.run_to_run_deviation(device, machine)
