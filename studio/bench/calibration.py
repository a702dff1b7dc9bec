"""Calibration: what the device at hand reaches in products, copies and tiny operations.

Takes about two seconds in the measuring process: `worker(device).submit(calibrate, conditions)`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch

from studio.bench.results import Conditions
from studio.bench.timing.timing_loop import drop_models
from studio.process.device import device_name, resolve_device

SIZES = (256, 512, 1024, 2048, 4096, 8192)  # of square products, until one takes too long
MAX_PRODUCT_S = 0.15  # expected of one product
SAMPLING_S = 0.3  # for the samples of each figure
MIN_SAMPLES = 3  # at least
BUFFER_BYTES = 256 * 2**20  # copied; processors cache less
CHAIN = 200  # tiny additions in a sample, each of which needs the one before


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Rates that were reached, each the median of several samples: FLOPs a second in the best of
    a few matrix products, bytes a second (read and written) in a copy, and the seconds between
    two tiny operations, Python's part included."""

    flops_per_s: float
    bytes_per_s: float
    seconds_per_op: float
    device: str
    dtype: str
    threads: int


def calibrate(conditions: Conditions) -> Calibration:
    """Calibrate a device for a dtype and a number of threads; the batch does not matter.

    Lets go of the models that are kept ready, whose memory it needs. Raises MeasureError where
    this machine has no such device.
    """
    place = torch.device(resolve_device(conditions.device))
    dtype = getattr(torch, conditions.dtype)
    torch.set_num_threads(conditions.threads)
    wait = (lambda: None) if place.type == "cpu" else partial(torch.accelerator.synchronize, place)
    drop_models()
    with torch.inference_mode():
        found = Calibration(
            flops_per_s=max(_product_rates(place, dtype, wait)),
            bytes_per_s=_copy_rate(place, wait),
            seconds_per_op=_gap_s(place, dtype, wait),
            device=device_name(conditions.device),
            dtype=conditions.dtype,
            threads=conditions.threads,
        )
    drop_models()
    return found


def _product_rates(
    place: torch.device, dtype: torch.dtype, wait: Callable[[], None]
) -> Iterator[float]:
    """FLOPs a second of square products. One twice as large is expected to take eight times."""
    for size in SIZES:
        left, right = (torch.randn(size, size, device=place, dtype=dtype) for _ in range(2))
        taken_s = _median_s(partial(torch.mm, left, right), wait)
        yield 2 * size**3 / taken_s
        if 8 * taken_s > MAX_PRODUCT_S:
            return


def _copy_rate(place: torch.device, wait: Callable[[], None]) -> float:
    source = torch.ones(BUFFER_BYTES, device=place, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * BUFFER_BYTES / _median_s(partial(target.copy_, source), wait)


def _gap_s(place: torch.device, dtype: torch.dtype, wait: Callable[[], None]) -> float:
    first = torch.ones(8, device=place, dtype=dtype)

    def chain() -> None:
        x = first
        for _ in range(CHAIN):
            x = x + 1

    return _median_s(chain, wait) / CHAIN


def _median_s(call: Callable[[], object], wait: Callable[[], None]) -> float:
    """Seconds of a call with all that it started, after one that warms up."""
    call()
    wait()
    taken: list[float] = []
    end = perf_counter() + SAMPLING_S
    while len(taken) < MIN_SAMPLES or perf_counter() < end:
        start = perf_counter()
        call()
        wait()
        taken.append(perf_counter() - start)
    return statistics.median(taken)
