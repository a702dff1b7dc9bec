"""Knobs are labelled by the first words of their help."""

from __future__ import annotations

import pytest

import studio
from studio.app.knob_panel.labels import LONG, Label, label
from studio.family import Family
from studio.records import all_knobs


@pytest.mark.parametrize(
    ("help", "expected"),
    [
        ("Token width D (d_model)", Label("Token width", "D")),
        ("Compound coefficient φ: scales depth", Label("Compound coefficient", "φ")),
        ("Blocks L; each halves the map", Label("Blocks", "L")),
        ("Base θ of the rotary embedding", Label("Base θ of the rotary embedding")),
        ("Dropout rate before, between and after the layers", Label("Dropout rate")),
        ("Stochastic depth rate of the last block", Label("Stochastic depth rate")),
        ("Input height and width", Label("Input height and width")),
        ("", Label("Some knob")),
    ],
)
def test_the_label_is_what_the_help_begins_with(help: str, expected: Label) -> None:
    assert label(help, "some_knob") == expected


@pytest.mark.parametrize("family", studio.families().values(), ids=studio.families())
def test_every_knob_has_a_short_label(family: Family) -> None:
    for preset in family.presets:
        for knob in all_knobs(preset.config).values():
            found = label(knob.help, knob.name)
            assert 0 < len(found.text) <= LONG + 16, found
            assert not found.words.endswith((" of", " before", ",", ":"))
