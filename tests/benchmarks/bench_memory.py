"""Is the predicted training peak what torch's allocator hands out? The real models, two batches.

    python -m pytest tests/benchmarks/bench_memory.py -o addopts= -s

Needs about 5 GB of free memory and, on two cores, about four minutes.
"""

from __future__ import annotations

import time

import pytest
import torch

import studio
from studio.analysis import units
from studio.analysis.cost.peak_memory import peak_memory
from studio.family import Design
from tests.analysis.cost.test_peak_memory import allocated

RESNET, VIT = studio.design("resnet", "ResNet-50"), studio.design("vit", "ViT-B/16")
UNET, GPT2 = studio.design("unet"), studio.design("gpt", "GPT-2 small")


@pytest.mark.parametrize(
    ("design", "batch"),
    [
        (RESNET, 1),
        (RESNET, 16),
        (VIT, 1),
        (VIT, 8),
        (UNET, 1),
        (UNET, 4),
        (GPT2.replace(seq_len=256), 1),
        (GPT2.replace(seq_len=256), 3),
    ],
    ids=lambda case: case.title if isinstance(case, Design) else f"batch {case}",
)
def test_the_real_ones_are_predicted(design: Design, batch: int) -> None:
    torch.set_num_threads(2)
    start = time.perf_counter()
    predicted = peak_memory(design, batch, "training").total
    took = time.perf_counter() - start
    measured = allocated(design, batch, "adam")
    print(
        f"\n{design.title}, batch {batch}: predicted {units.size(predicted)} in {took:.1f} s,"
        f" allocated {units.size(measured)}, ratio {predicted / measured:.3f} (bar 0.9 to 1.1)"
    )
    assert predicted == pytest.approx(measured, rel=0.1)
