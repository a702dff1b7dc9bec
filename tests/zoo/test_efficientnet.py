"""Compound scaling: φ moves depth, width and resolution together, by the law of the paper."""

from __future__ import annotations

import pytest

import studio


def test_one_step_moves_all_three() -> None:
    start = studio.design("efficientnet").config
    config = studio.design("efficientnet", phi=1).config
    assert [config.repeats(n) for n in (1, 2, 3, 4)] == [2, 3, 4, 5]  # ceil(1.2 n)
    assert config.channels(320) == 352  # 1.1 × 320
    assert config.resolution == round(1.15 * start.image_size)


@pytest.mark.parametrize("phi", [1, 2, 3, 4, 5, 6, 7])
def test_compute_about_doubles_with_each_step(phi: int) -> None:
    start = studio.profile(studio.design("efficientnet"))
    grown = studio.profile(studio.design("efficientnet", phi=phi))
    assert 0.75 < grown.macs / start.macs / 2**phi < 1.35


@pytest.mark.parametrize(
    ("preset", "phi"), [(1, 0.5), (2, 1), (3, 2), (4, 3.5), (5, 4.5), (6, 5.5), (7, 6.5)]
)
def test_the_published_sizes_are_near_the_law(preset: int, phi: float) -> None:
    published = studio.design("efficientnet", preset=f"EfficientNet-B{preset}").config
    law = studio.design("efficientnet", phi=phi).config
    assert published.resolution == pytest.approx(law.resolution, rel=0.1)
    assert published.channels(1280) == pytest.approx(law.channels(1280), rel=0.1)
    assert published.repeats(100) == pytest.approx(law.repeats(100), rel=0.1)
