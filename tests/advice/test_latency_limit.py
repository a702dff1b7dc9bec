"""A latency limit: predicted from anchors, confirmed by a stopwatch, which is simulated here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import studio
from studio.advice.budget import Limits
from studio.advice.latency_limit import (
    ANCHORS,
    MAX_TRIES,
    size_within_latency,
)
from studio.advice.requirements import Brief
from studio.analysis.cost.op_costs import total_cost
from studio.analysis.cost.profiler import Profile, profile
from studio.bench.results import Measurement
from studio.bench.sweep import Points
from studio.family import Design, DesignError
from studio.process.errors import MeasureError

BRIEF = Brief(task="classification", settings={"image_size": 64})
START = studio.design("vit", "ViT-Ti/16", image_size=64)


def seen(seconds: float, clean: bool = True) -> Measurement:
    return Measurement(
        median_s=seconds if clean else 2 * seconds,
        q25_s=seconds,
        q75_s=seconds,
        p95_s=None,
        runs=9,
        first_call_s=seconds,
        cpu_s=seconds,
        clean=clean,
        device="a simulation",
        threads=1,
        dtype="float32",
        batch=1,
        torch_version="2",
    )


def linear(cost: Profile) -> float:
    """50 GFLOP/s, 20 GB/s and 2 µs an operation."""
    flops, moved, _, operations = total_cost(cost.root)
    return flops / 50e9 + moved / 20e9 + operations * 2e-6


class Simulated:
    """Takes what a formula says, and remembers what it was asked."""

    def __init__(self, seconds: Callable[[Profile], float] = linear, clean: bool = True) -> None:
        self.seconds, self.clean = seconds, clean
        self.asked: list[tuple[Design, ...]] = []

    def __call__(self, designs: Sequence[Design]) -> Points:
        self.asked.append(tuple(designs))
        return tuple(seen(self.seconds(profile(d)), self.clean) for d in designs)


@pytest.mark.parametrize("limit_s", [0.001, 0.003, 0.02])
def test_the_limit_is_met_and_used(limit_s: float) -> None:
    time = Simulated()
    design, timing = size_within_latency(START, BRIEF, limit_s, time)
    assert timing.seconds == linear(profile(design)) <= limit_s
    assert timing.seconds >= 0.85 * limit_s
    assert timing.tries <= 2
    assert all(len(designs) <= len(ANCHORS) for designs in time.asked)


def test_other_limits_hold_beside_it() -> None:
    brief = Brief(task="classification", limits=Limits(params=2_000_000))
    design, timing = size_within_latency(START, brief, 0.05, Simulated())
    assert profile(design).params <= 2_000_000
    assert timing.seconds <= 0.05


def test_a_finalist_that_is_slower_than_predicted_is_followed_by_a_smaller_one() -> None:
    anchors: set[Design] = set()

    def slower_alone(designs: Sequence[Design]) -> Points:
        anchors.update(designs if len(designs) > 1 or not anchors else ())
        late = [1.0 if len(designs) > 1 else 1.4 for _ in designs]
        return tuple(
            seen(linear(profile(d)) * factor) for d, factor in zip(designs, late, strict=True)
        )

    design, timing = size_within_latency(START, BRIEF, 0.003, slower_alone)
    assert timing.tries > 1
    assert timing.seconds == 1.4 * linear(profile(design)) <= 0.003


def test_measuring_ends_where_nothing_is_fast_enough() -> None:
    time = Simulated(lambda cost: 1.0 + linear(cost))
    with pytest.raises(DesignError, match=r"latency at most 3\.00 ms .* takes 1\.00 s"):
        size_within_latency(START, BRIEF, 0.003, time)
    assert len(time.asked) <= MAX_TRIES + 3


def test_a_design_that_cannot_be_measured_is_shrunk_first() -> None:
    def limited(designs: Sequence[Design]) -> Points:
        found = [profile(d) for d in designs]
        return tuple(
            MeasureError("too large") if cost.macs > 5e8 else seen(linear(cost)) for cost in found
        )

    giant = studio.design("vit", "ViT-L/16")
    design, timing = size_within_latency(giant, BRIEF, 0.01, limited)
    assert timing.seconds == linear(profile(design)) <= 0.01


def test_it_says_when_the_machine_was_busy_and_holds_cpu_time_against_the_limit() -> None:
    _, timing = size_within_latency(START, BRIEF, 0.003, Simulated(clean=False))
    assert timing.seconds == timing.measured.cpu_s
    assert "busy" in timing.text
    assert "predicted" in timing.text
