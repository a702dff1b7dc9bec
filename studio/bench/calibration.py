"""Calibration: the rates that a device reaches in matrix products, copies and tiny operations.

Takes about two seconds in the worker process: `worker(device).submit(calibrate, conditions)`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch

from studio.bench.conditions import Conditions
from studio.bench.timing.timing_loop import drop_models
from studio.process.device import device_name, resolve_device

SIZES = (256, 512, 1024, 2048, 4096, 8192)  # of square matrix products, until one takes too long
MAX_PRODUCT_S = 0.15  # expected time of one product
SAMPLING_S = 0.3  # sampling time of each rate
MIN_SAMPLES = 3  # at least
BUFFER_BYTES = 256 * 2**20  # copied; larger than CPU caches
CHAIN = 200  # dependent tiny additions in a sample


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Rates reached, each the median of several samples: FLOPs per second in the best matrix
    product, bytes per second (read and written) in a copy, and seconds per tiny operation, Python
    included."""

    flops_per_s: float
    bytes_per_s: float
    seconds_per_op: float
    device: str
    dtype: str
    threads: int


def calibrate(conditions: Conditions) -> Calibration:
    """Calibrate a device for a dtype and a number of threads; the batch does not matter.

    Drops the models kept ready, since it needs their memory. Raises MeasureError if this machine
    has no such device.
    """
    target = torch.device(resolve_device(conditions.device))
    dtype = getattr(torch, conditions.dtype)
    torch.set_num_threads(conditions.threads)
    wait = (
        (lambda: None) if target.type == "cpu" else partial(torch.accelerator.synchronize, target)
    )
    drop_models()
    with torch.inference_mode():
        found = Calibration(
            flops_per_s=max(_product_rates(target, dtype, wait)),
            bytes_per_s=_copy_rate(target, wait),
            seconds_per_op=_gap_s(target, dtype, wait),
            device=device_name(conditions.device),
            dtype=conditions.dtype,
            threads=conditions.threads,
        )
    drop_models()
    return found


def _product_rates(
    target: torch.device, dtype: torch.dtype, wait: Callable[[], None]
) -> Iterator[float]:
    """FLOPs per second of square matrix products. Twice the size takes about eight times as
    long."""
    for size in SIZES:
        left, right = (torch.randn(size, size, device=target, dtype=dtype) for _ in range(2))
        taken_s = _median_s(partial(torch.mm, left, right), wait)
        yield 2 * size**3 / taken_s
        if 8 * taken_s > MAX_PRODUCT_S:
            return


def _copy_rate(target: torch.device, wait: Callable[[], None]) -> float:
    source = torch.ones(BUFFER_BYTES, device=target, dtype=torch.uint8)
    copy = torch.empty_like(source)
    return 2 * BUFFER_BYTES / _median_s(partial(copy.copy_, source), wait)


def _gap_s(target: torch.device, dtype: torch.dtype, wait: Callable[[], None]) -> float:
    first = torch.ones(8, device=target, dtype=dtype)

    def chain() -> None:
        x = first
        for _ in range(CHAIN):
            x = x + 1

    return _median_s(chain, wait) / CHAIN


def _median_s(call: Callable[[], object], wait: Callable[[], None]) -> float:
    """Median seconds of a call with everything it started, after one warm-up call."""
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
