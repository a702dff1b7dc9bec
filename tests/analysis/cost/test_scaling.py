"""Neighbours along an axis, and the exponent of a power law."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studio
from studio import knobs
from studio.analysis.cost.scaling import (
    affordable_points,
    axes,
    axis_points,
    exponent,
    local_slope,
    position,
)
from studio.family import Design, Family, Preset

FAMILIES = studio.families()


@given(
    st.floats(-3, 3),
    st.floats(1e-6, 1e6),
    st.lists(st.floats(1, 1e4), min_size=2, max_size=9, unique_by=lambda x: round(math.log(x), 2)),
)
def test_the_exponent_of_a_power_law_is_found(p: float, c: float, xs: list[float]) -> None:
    found = exponent(xs, [c * x**p for x in xs])
    assert found == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(("xs", "ys"), [((), ()), ((2,), (3,)), ((2, 2), (3, 4)), ((1, 2), (0, 1))])
def test_no_exponent_where_it_cannot_be_told(xs: tuple[float, ...], ys: tuple[float, ...]) -> None:
    assert exponent(xs, ys) is None


@pytest.mark.parametrize("ys", [(4, 16, 64, 256, 1024), (1, 2, 4, 3, 5), (10, 10.2, 11, 13, 20)])
def test_no_exponent_where_the_growth_is_no_power_law(ys: tuple[float, ...]) -> None:
    assert exponent(range(1, 6), ys) is None


def test_a_figure_that_hardly_moves_is_constant_and_not_lawless() -> None:
    assert exponent((1, 2, 4, 8), (100, 100.3, 99.8, 100.1)) == pytest.approx(0, abs=0.005)


@given(
    st.floats(-3, 3),
    st.floats(1e-6, 1e6),
    st.lists(st.floats(1, 1e4), min_size=2, max_size=9, unique_by=lambda x: round(math.log(x), 2)),
    st.data(),
)
def test_a_power_law_has_its_exponent_at_every_point(
    p: float, c: float, xs: list[float], data: st.DataObject
) -> None:
    x = data.draw(st.sampled_from(xs))
    assert local_slope(xs, [c * x**p for x in xs], x) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(("x", "slope"), [(1, 0), (2, 1), (4, 2), (8, 2), (3, 2), (9, None)])
def test_the_local_slope_looks_at_the_neighbours_alone(x: float, slope: float | None) -> None:
    assert local_slope((8, 1, 2, 4), (16, 1, 1, 4), x) == (
        None if slope is None else pytest.approx(slope)
    )


@pytest.mark.parametrize("ys", [(), (1,), (0, 1), (1, -1)])
def test_no_local_slope_where_it_cannot_be_told(ys: tuple[float, ...]) -> None:
    assert local_slope((1, 2)[: len(ys)], ys, 1) is None


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_points_rise_along_one_knob_and_hold_the_design(family: Family) -> None:
    for preset in family.presets:
        design = family.design(preset.name)
        for axis, knob in axes(design).items():
            points = axis_points(design, axis)
            places = [position(knob, point.value(knob.name)) for point in points]
            assert design in points
            assert 2 <= len(points) <= 7
            assert places == sorted(set(places))
            assert all(p.replace(**{knob.name: design.value(knob.name)}) == design for p in points)


def test_designs_that_differ_on_the_axis_alone_share_their_points() -> None:
    one = studio.design("vit", preset="ViT-S/16", depth=12)
    other = one.replace(depth=13)
    assert len(set(axis_points(one, "depth")) & set(axis_points(other, "depth"))) >= 5


def test_round_values_become_the_nearest_legal_ones() -> None:
    design = studio.design("vit", preset="ViT-H/14")
    sizes = [point.config.image_size for point in axis_points(design, "resolution")]
    assert all(size % 14 == 0 for size in sizes)


def test_a_tuple_is_scaled_as_a_whole() -> None:
    design = studio.design("resnet", preset="ResNet-50")
    depths = [point.config.depths for point in axis_points(design, "depth", count=99)]
    assert (6, 8, 12, 6) in depths
    assert (1, 1, 2, 1) in depths


def test_a_short_range_is_shown_as_a_whole() -> None:
    design = studio.design("unet")
    knob = axes(design)["depth"]
    depths = [point.config.depth for point in axis_points(design, "depth")]
    assert depths == list(range(int(knob.ge or 0), int(knob.le or 0) + 1))


def test_the_end_of_a_long_range_is_a_point_too() -> None:
    design = studio.design("vit", preset="ViT-B/16")
    knob = axes(design)["depth"]
    points = axis_points(design.replace(depth=int(knob.le or 0) - 1), "depth")
    assert points[-1].config.depth == knob.le


@dataclass(frozen=True)
class Strict:
    """Thousands of widths, of which few are legal, and a rule that names two knobs."""

    width: int = knobs.knob(5_000, "Width", axis="width", ge=1, le=90_000)
    heads: int = knobs.knob(5_000, "Heads", ge=1, le=90_000)

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} must divide width={self.width}")


def test_a_strict_rule_over_a_wide_range_is_quickly_walked() -> None:
    presets = (Preset("only", Strict(), None, ""),)
    design = Design(replace(FAMILIES["vit"], config=Strict, presets=presets), Strict())
    start = perf_counter()
    points = axis_points(design, "width")
    assert perf_counter() - start < 1
    assert design in points


def test_large_models_afford_fewer_points() -> None:
    afforded = {
        key: affordable_points(studio.profile(studio.design(key)).root)
        for key in ("vit", "inception", "faster_rcnn")
    }
    assert afforded["vit"] == 7
    assert 7 > afforded["inception"] > afforded["faster_rcnn"] >= 3
