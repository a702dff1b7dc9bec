"""How much faster than torchinfo: ratios inside one run, on whatever machine this is.

    python -m pytest tests/benchmarks/bench_analysis.py -o addopts= -s

Both sides build the model on meta and count it, in one thread, without waiting for anything: so CPU
time is taken, which a busy machine disturbs least. The two are timed in turn, ours and theirs; the
ratio is the median of the pairs.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchinfo

import studio
from studio.analysis.cost.profiler import clear_caches, profile
from studio.analysis.trace.building.meta_model import build_on_meta, example_on_meta
from studio.analysis.trace.tracer import MEMO, Memo, trace
from studio.family import Design

VIT = studio.design("vit", "ViT-B/16")
GPT3 = studio.design("attention", "GPT-3 shape (96 × 12288)")


def seconds(work: Callable[[], Any]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], pairs: int) -> float:
    """How many times longer theirs takes; the first pair warms up."""
    times = [(seconds(ours), seconds(theirs)) for _ in range(pairs + 1)][1:]
    return statistics.median(b / a for a, b in times)


def cold(design: Design) -> None:
    """A profile with nothing remembered."""
    clear_caches()
    MEMO.clear()
    profile(design)


def warm(design: Design) -> None:
    """A profile of a design never seen, with equal blocks remembered."""
    clear_caches()
    profile(design)


def summary(design: Design) -> None:
    """The same by torchinfo: torch's own way of building on meta, and its count of every layer."""
    with torch.device("meta"):
        model = design.family.model(design.config).eval()
        inputs = design.family.example(design.config, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torchinfo.summary(model, input_data=inputs, verbose=0, depth=10, device="meta")


@pytest.mark.parametrize(
    ("design", "pairs", "bar"), [(VIT, 9, 15), (GPT3, 3, 8)], ids=["vit", "gpt3"]
)
def test_a_cold_profile_is_faster_than_torchinfo(
    benchmark: Any, design: Design, pairs: int, bar: float
) -> None:
    found = ratio(lambda: cold(design), lambda: summary(design), pairs)
    benchmark.extra_info["torchinfo / ours"] = found
    print(f"\ncold, {design.title}: torchinfo / ours = {found:.1f} (bar {bar})")
    benchmark.pedantic(cold, args=(design,), rounds=3)
    assert found >= bar


def test_a_moved_slider_is_faster_still(benchmark: Any) -> None:
    moved = iter(VIT.replace(depth=depth) for depth in (11, 13, 10, 14, 9, 15, 8, 16, 11, 13))
    warm(VIT)
    found = ratio(lambda: warm(next(moved)), lambda: summary(VIT), 7)
    benchmark.extra_info["torchinfo / ours"] = found
    print(f"\nslider moved, memo kept: torchinfo / ours = {found:.1f} (bar 8)")
    benchmark.pedantic(warm, args=(VIT,), rounds=3)
    assert found >= 8


def test_a_deep_model_is_traced_as_fast_as_a_shallow_one(benchmark: Any) -> None:
    """Depth 96 against depth 12, beyond building the model, with nothing remembered."""
    designs = [GPT3.replace(depth=depth) for depth in (12, 96)]
    models = [(build_on_meta(d), example_on_meta(d, 1)) for d in designs]
    shallow, deep = (lambda m=m, x=x: trace(m, x, Memo()) for m, x in models)
    found = ratio(shallow, deep, 9)
    benchmark.extra_info["depth 96 / depth 12"] = found
    print(f"\ntrace, depth 96 / depth 12 = {found:.2f} (bar 2)")
    benchmark.pedantic(deep, rounds=3)
    assert found <= 2
