"""The fit to a few measured designs: what it promises of any figures."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.analysis.cost.latency_model import RIDGE, LatencyModel, fit
from studio.analysis.cost.op_costs import OpCost

UNHURRIED = settings(deadline=None, max_examples=25)  # whatever else the machine does
SECONDS = st.floats(1e-5, 10)
WORKS = st.builds(
    OpCost,
    flops=st.integers(0, 10**12),
    moved_bytes=st.integers(1, 10**10),
    weight_bytes=st.integers(0, 10**9),
    operations=st.integers(1, 1000),
)
ANCHORS = st.lists(st.tuples(WORKS, SECONDS), min_size=3, max_size=7)
COSTS = st.tuples(*(st.floats(0.2, 5) for _ in OpCost._fields)).map(
    lambda costs: [c * unit for c, unit in zip(costs, (1e-11, 1e-10, 1e-10, 1e-5), strict=True)]
)


def fitted(anchors: list[tuple[OpCost, float]]) -> LatencyModel:
    found = fit(*zip(*anchors, strict=True))
    assert found
    return found


def drawn(rng: random.Random) -> OpCost:
    """A design of a family: depth, width and resolution from one to eight."""
    depth, width, pixels = (8 ** rng.random() for _ in range(3))
    weights = 4 * 10**5 * depth * width**2
    return OpCost(
        int(10**8 * depth * width**2 * pixels),
        int(weights + 4 * 10**6 * depth * width * pixels),
        int(weights),
        int(10 + 20 * depth),
    )


def taken(costs: list[float], work: OpCost) -> float:
    return sum(cost * part for cost, part in zip(costs, work, strict=True))


@pytest.mark.parametrize(("count", "error"), [(12, 0.15), (100, 0.03)])
@UNHURRIED
@given(costs=COSTS, seed=st.integers(0, 10**6))
def test_a_law_is_found_the_better_the_more_anchors(
    count: int, error: float, costs: list[float], seed: int
) -> None:
    rng = random.Random(seed)
    predictor = fitted([(work, taken(costs, work)) for work in (drawn(rng) for _ in range(count))])
    for work in (drawn(rng) for _ in range(10)):
        assert predictor(work).seconds == pytest.approx(taken(costs, work), rel=error)


@UNHURRIED
@given(ANCHORS, st.sampled_from([0.9, 0.99, 1.01, 1.1]))
def test_no_other_costs_fit_better(anchors: list[tuple[OpCost, float]], change: float) -> None:
    """A cost that is zero is tried above zero as well: were it better there, it would be there."""
    scales = [
        math.sqrt(statistics.fmean((work[i] / seconds) ** 2 for work, seconds in anchors))
        for i in range(len(OpCost._fields))
    ]

    def missed(costs: list[float]) -> float:
        errors = (taken(costs, work) / seconds - 1 for work, seconds in anchors)
        held = sum((cost * scale) ** 2 for cost, scale in zip(costs, scales, strict=True))
        return sum(error**2 for error in errors) + RIDGE * held

    costs = list(fitted(anchors).costs)
    for i, cost in enumerate(costs):
        other = change * cost or 0.01 / (scales[i] or 1)
        assert missed([*costs[:i], other, *costs[i + 1 :]]) >= missed(costs) * (1 - 1e-9)


@UNHURRIED
@given(ANCHORS)
def test_costs_are_never_negative_and_the_band_holds_its_middle(
    anchors: list[tuple[OpCost, float]],
) -> None:
    predictor = fitted(anchors)
    assert min(predictor.costs) >= 0
    assert max(predictor.costs) > 0
    for work, _ in anchors:
        expected = predictor(work)
        assert 0 <= expected.low <= expected.seconds <= expected.high


@UNHURRIED
@given(st.lists(st.tuples(WORKS, SECONDS), min_size=4, max_size=6))
def test_the_band_holds_every_anchor_that_is_left_out(anchors: list[tuple[OpCost, float]]) -> None:
    factor = fitted(anchors).factor
    for i, (work, seconds) in enumerate(anchors):
        others = fitted(anchors[:i] + anchors[i + 1 :])
        expected = others(work).seconds
        assert factor == math.inf or expected * factor >= seconds * (1 - 1e-6)
        assert expected <= seconds * factor * (1 + 1e-6)


@UNHURRIED
@given(ANCHORS, st.integers(-10, 10))
def test_a_device_that_is_so_many_times_slower_takes_so_many_times_longer(
    anchors: list[tuple[OpCost, float]], power: int
) -> None:
    one, other = fitted(anchors), fitted([(work, s * 2.0**power) for work, s in anchors])
    for work, _ in anchors:
        assert other(work) == pytest.approx([2.0**power * x for x in one(work)], rel=1e-6)


@UNHURRIED
@given(ANCHORS, st.randoms(use_true_random=False))
def test_the_order_of_the_anchors_is_no_matter(
    anchors: list[tuple[OpCost, float]], rng: random.Random
) -> None:
    one, other = fitted(anchors), fitted(rng.sample(anchors, len(anchors)))
    for work, _ in anchors:
        assert other(work) == pytest.approx(one(work), rel=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_anchors_predict_nothing(count: int) -> None:
    assert fit([OpCost(1, 1, 1, 1)] * count, [1.0] * count) is None


@pytest.mark.parametrize(("count", "coverage"), [(3, 3 / 4), (5, 5 / 6)])
def test_the_band_claims_what_a_rank_allows(count: int, coverage: float) -> None:
    """Of figures that follow no law at all, a new one is in the band as often as is said."""
    rng = random.Random(0)
    held = 0
    for _ in range(300):
        *anchors, (work, seconds) = [
            (OpCost(0, 0, 0, 1), math.exp(rng.gauss(0, 0.1))) for _ in range(count + 1)
        ]
        predictor = fitted(anchors)
        assert predictor.coverage == coverage
        held += predictor(work).low <= seconds <= predictor(work).high
    assert held / 300 == pytest.approx(coverage, abs=0.06)
