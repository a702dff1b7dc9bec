"""How long a thousand candidates take: seconds, and in cold profiles of ViT-B.

    python -m pytest tests/benchmarks/bench_sizing.py -o addopts= -s

One thread, nothing remembered at the start. CPU time is taken, which a busy machine disturbs least.
"""

from __future__ import annotations

import statistics
import time
from itertools import islice
from typing import Any

import studio
from studio.advice.sizing.pareto import grid, profiles
from studio.analysis.cost.profiler import clear_caches, profile
from studio.analysis.trace.tracer import MEMO

VIT = studio.design("vit", "ViT-B/16")
COUNT = 1000
BAR_S = 10.0
AXES = ("width", "heads", "depth", "resolution")


def fresh() -> None:
    clear_caches()
    MEMO.clear()


def cold_s() -> float:
    fresh()
    start = time.thread_time()
    profile(VIT)
    return time.thread_time() - start


def test_a_thousand_candidates_are_profiled_exactly(benchmark: Any) -> None:
    """Each as often as it takes a profile of its own; every twentieth is checked against one."""
    designs = tuple(islice(grid(VIT, AXES), 0, None, 2))[:COUNT]
    assert len(designs) == COUNT
    cold_s()
    one_s = statistics.median(cold_s() for _ in range(9))
    fresh()
    wall, cpu = time.perf_counter(), time.thread_time()
    found = profiles(designs)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    for cost in found[::20]:
        fresh()
        assert cost == profile(cost.design)
    benchmark.extra_info |= {"seconds": wall, "cold profiles": cpu / one_s}
    print(
        f"\n{COUNT} candidates: {wall:.1f} s, {cpu:.1f} s of CPU (bar {BAR_S:g}); a cold ViT-B"
        f" {one_s * 1e3:.1f} ms: {cpu / one_s:.0f} of them"
    )
    benchmark.pedantic(cold_s, rounds=1)
    assert cpu <= BAR_S
