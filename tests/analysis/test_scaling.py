"""Neighbours along an axis, and the exponent of a power law."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studio
from studio.analysis.scaling import axes, axis_points, exponent, position
from studio.family import Family

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


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_points_rise_along_one_knob_and_hold_the_design(family: Family) -> None:
    for preset in family.presets:
        design = family.design(preset.name)
        for axis, knob in axes(family).items():
            points = axis_points(design, axis)
            places = [position(knob, point.settings[knob.name]) for point in points]
            assert design in points
            assert 2 <= len(points) <= 7
            assert places == sorted(set(places))
            assert all(
                p.replace(**{knob.name: design.settings[knob.name]}) == design for p in points
            )


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
