"""Calibration of the device at hand; how good its figures are is for the benchmarks."""

from __future__ import annotations

import pickle
from time import perf_counter

import pytest
import torch

from studio.bench.calibration import Calibration, calibrate
from studio.bench.conditions import Conditions
from studio.process.errors import MeasureError
from studio.process.worker import Worker


def test_the_figures_come_from_the_measuring_process(lab: Worker) -> None:
    start = perf_counter()
    found = lab.submit(calibrate, Conditions()).result()
    assert perf_counter() - start < 30
    assert 1e8 < found.flops_per_s < 1e14
    assert 1e8 < found.bytes_per_s < 1e13
    assert 1e-8 < found.seconds_per_op < 1e-3
    assert (found.dtype, found.threads) == ("float32", 1)
    assert pickle.loads(pickle.dumps(found)) == found


def test_an_absent_device_is_one_sentence(lab: Worker) -> None:
    with pytest.raises(MeasureError, match="no device cuda:99"):
        lab.submit(calibrate, Conditions(device="cuda:99")).result()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_an_accelerator_is_waited_for(lab: Worker) -> None:
    """Unsynchronised, a product would seem to take no longer than its start."""
    found: Calibration = lab.submit(calibrate, Conditions(device="cuda")).result()
    assert 1e11 < found.flops_per_s < 2e15
    assert 5e10 < found.bytes_per_s < 2e13
    assert 1e-7 < found.seconds_per_op < 1e-3
