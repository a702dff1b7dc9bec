"""A budget is used and never exceeded, whatever the family."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import studio
from studio.advice.budget import Limits, cost
from studio.advice.sizing.scaling_search import (
    FULL_SHARE,
    Search,
    fill_budget,
    largest_design,
    next_sizes,
    scale_axes,
    scale_compound,
    smallest_design,
)
from studio.analysis.cost.profiler import profile
from studio.family import Family
from tests.commit_sample import commit_sample

FAMILIES = studio.families()
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
AFFORDED = 3e8  # parameters; larger ones are counted as exactly, and take longer


@every_family
@settings(max_examples=1, deadline=None, derandomize=True)
@given(share=st.floats(0, 1))
def test_a_budget_of_parameters_is_used_within_three_percent_where_a_knob_allows_it(
    family: Family, share: float
) -> None:
    counts = sorted(profile(family.design(p.name)).params for p in family.presets)
    low, high = counts[0], max(c for c in counts if c <= max(AFFORDED, counts[0]))
    budget = int(low + share * (high - low))
    start = min(
        (family.design(p.name) for p in family.presets),
        key=lambda design: abs(profile(design).params - budget),
    )
    found = fill_budget(start, Limits(params=budget))
    assert found
    used = profile(found.design).params
    assert used <= budget
    assert found.share == used / budget
    search = Search(Limits(params=budget))
    if used < FULL_SHARE * budget:
        assert not any(search.fits(higher) for higher in next_sizes(found.design))


@pytest.mark.parametrize(
    "family",
    commit_sample("budgets that nothing meets", list(FAMILIES.values()), 10),
    ids=lambda family: family.key,
)
def test_a_budget_that_nothing_meets_is_met_by_nothing(family: Family) -> None:
    start = family.design()
    assert profile(smallest_design(start)).params <= profile(start).params
    assert fill_budget(start, Limits(params=1)) is None


@pytest.mark.parametrize("limit", ["params", "macs", "inference_bytes", "training_bytes"])
@pytest.mark.parametrize("strategy", ["proportions", "width", "depth", "resolution", "compound"])
def test_every_strategy_keeps_every_limit(limit: str, strategy: str) -> None:
    start = studio.design("efficientnet")
    limits = Limits(**{limit: 2 * cost(profile(start), limit)})
    found = fill_budget(start, limits, strategy=strategy)
    assert found
    assert found.share <= 1
    assert found.share == limits.share(profile(found.design))


def test_several_limits_are_kept_at_once_and_the_binding_one_is_named() -> None:
    limits = Limits(params=20_000_000, macs=1_000_000_000)
    found = fill_budget(studio.design("resnet"), limits)
    assert found
    counted = profile(found.design)
    assert counted.params <= 20_000_000
    assert counted.macs <= 1_000_000_000
    assert limits.binding(counted) == "macs"


def test_with_nothing_asked_the_design_stays() -> None:
    start = studio.design("vit")
    assert fill_budget(start, Limits()).design == start


def test_compound_scaling_of_nothing_is_nothing() -> None:
    start = studio.design("efficientnet")
    assert scale_compound(start, 0) == start


@pytest.mark.parametrize(
    ("name", "width", "depth", "image_size"),
    [  # the official coefficients
        ("EfficientNet-B1", 1.0, 1.1, 240),
        ("EfficientNet-B2", 1.1, 1.2, 260),
        ("EfficientNet-B3", 1.2, 1.4, 300),
        ("EfficientNet-B4", 1.4, 1.8, 380),
        ("EfficientNet-B5", 1.6, 2.2, 456),
        ("EfficientNet-B6", 1.8, 2.6, 528),
        ("EfficientNet-B7", 2.0, 3.1, 600),
    ],
)
def test_the_official_coefficients_make_of_b0_what_was_published(
    name: str, width: float, depth: float, image_size: int
) -> None:
    b0 = studio.design("efficientnet", "EfficientNet-B0")
    factors = {"width": width, "depth": depth, "resolution": image_size / b0.value("image_size")}
    design = scale_axes(b0, factors)
    published = studio.families()["efficientnet"].preset(name)
    assert profile(design).params == published.params
    assert design.value("image_size") == image_size


def test_a_budget_without_end_is_met_by_the_largest_that_there_is() -> None:
    start = FAMILIES["vit"].design("ViT-B/16")
    with_room = fill_budget(start, Limits(params=10**15))
    assert with_room
    assert with_room.design == largest_design(start)
    assert with_room.design.value("depth") == start.knobs["depth"].le
