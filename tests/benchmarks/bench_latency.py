"""Is our code as fast as the libraries'? Ours against transformers', paired in one run.

    python -m pytest tests/benchmarks/bench_latency.py -o addopts= -s

Needs the `parity` extra. Both models run on one thread on the same inputs, in turn and in shuffled
order; the figure is the median of the ratios of pairs.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio
from studio.family import Design

transformers = pytest.importorskip("transformers", reason="needs the parity extra")

PAIRS = 15
GPT2_TOKENS = 256


def resnet50() -> nn.Module:
    return transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000))


def vit_b16() -> nn.Module:
    return transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000))


def gpt2() -> nn.Module:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(use_cache=False))


def seconds(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    start = time.perf_counter()
    model(*inputs)
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("design", "reference"),
    [
        (studio.design("resnet", "ResNet-50"), resnet50),
        (studio.design("vit", "ViT-B/16"), vit_b16),
        (studio.design("gpt", "GPT-2 small", seq_len=GPT2_TOKENS), gpt2),
    ],
    ids=["ResNet-50", "ViT-B/16", "GPT-2 small"],
)
def test_ours_is_as_fast_as_transformers(
    design: Design, reference: Callable[[], nn.Module]
) -> None:
    torch.set_num_threads(1)
    ours, theirs = studio.build(design).eval(), reference().eval()
    inputs = studio.example(design)
    ratios = []
    with torch.inference_mode():
        for pair in range(PAIRS + 2):
            first_ours = random.random() < 0.5
            order: list[Any] = [ours, theirs] if first_ours else [theirs, ours]
            times = {model: seconds(model, inputs) for model in order}
            if pair >= 2:  # the first pairs warm up
                ratios.append(times[ours] / times[theirs])
    middle = statistics.quantiles(ratios, n=4)
    print(
        f"\n{design.title}: ours / transformers = {middle[1]:.3f} "
        f"(middle half {middle[0]:.3f} to {middle[2]:.3f}, bar 1.05)"
    )
    assert middle[1] <= 1.05
