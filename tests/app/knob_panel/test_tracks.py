"""Where sliders can stop."""

from __future__ import annotations

from itertools import pairwise

import pytest

import studio
from studio.app.knob_panel.tracks import Track, ladder, track
from studio.family import Family
from studio.knobs import Knob
from studio.records import all_knobs

WIDTH = Knob(name="width", default=64, help="", ge=64, le=1664, step=64)
VOCABULARY = Knob(name="vocab_size", default=1000, help="", ge=2, le=262144)
RATIO = Knob(name="ratio", default=4.0, help="", ge=1.0, le=8.0, step=0.5)


def test_a_slider_has_the_steps_of_its_knob() -> None:
    assert track(WIDTH, 128) == Track(64, 1664, 64)
    assert track(RATIO, 1.5) == Track(1.0, 8.0, 0.5)


@pytest.mark.parametrize(("knob", "value"), [(WIDTH, 100), (RATIO, 3001 / 768)])
def test_a_value_between_two_steps_has_a_stop_of_its_own(knob: Knob, value: float) -> None:
    found = track(knob, value).values
    assert value in found
    assert len(found) == len(set(found) - {value}) + 1
    assert {knob.ge, knob.le} <= set(found)


def test_a_huge_range_has_geometric_steps_with_the_values_of_presets() -> None:
    found = track(VOCABULARY, 1234, marks=(30522, 50257)).values
    assert {2, 262144, 1234, 30522, 50257} <= set(found)
    assert len(found) < 150
    ratios = [after / before for before, after in pairwise(ladder(VOCABULARY)) if before > 64]
    assert max(ratios) < 1.3


@pytest.mark.parametrize("family", studio.families().values(), ids=studio.families())
def test_every_preset_has_its_stop_and_every_stop_is_valid(family: Family) -> None:
    for preset in family.presets:
        config = preset.config
        for name, knob in all_knobs(config).items():
            value = studio.Design(family, config).value(name)
            if knob.options or not isinstance(value, (int, float)) or isinstance(value, bool):
                continue
            found = track(knob, value)
            assert list(found.values) == sorted(set(found.values))
            assert not found.values or value in found.values
            assert found.low <= value <= found.high
            for stop in found.values:
                assert knob.clamp(stop) == stop or stop == value
