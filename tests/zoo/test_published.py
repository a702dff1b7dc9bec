"""Presets cost exactly what is published of them. The facts are in published.json beside this file:

rows of independent counts (`params`; `macs` of one forward pass at `macs_at`, batch 1, by
convolutions and matrix products alone), each with the preset of the zoo (`zoo`) that it describes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import studio
from studio.family import Family, Preset

FACTS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("published.json").read_text())
PRESETS = [(family, preset) for family in studio.families().values() for preset in family.presets]
every_fact = pytest.mark.parametrize("fact", FACTS, ids=[fact["preset"] for fact in FACTS])


@every_fact
def test_a_preset_has_the_published_parameters(fact: dict[str, Any]) -> None:
    key, name = fact["zoo"]
    design = studio.design(key, preset=name)
    assert design.preset is not None
    assert design.preset.params == fact["params"]
    assert studio.profile(design).params == fact["params"]


@pytest.mark.parametrize(
    "fact", [f for f in FACTS if f["macs"]], ids=[f["preset"] for f in FACTS if f["macs"]]
)
def test_a_preset_has_the_published_macs(fact: dict[str, Any]) -> None:
    key, name = fact["zoo"]
    profile = studio.profile(studio.design(key, preset=name))
    assert profile.macs == pytest.approx(fact["macs"], rel=0.005)
    assert profile.flops == 2 * profile.macs


@pytest.mark.parametrize(
    ("family", "preset"),
    [(family, preset) for family, preset in PRESETS if preset.params is not None],
    ids=[f"{family.key}: {preset.name}" for family, preset in PRESETS if preset.params is not None],
)
def test_a_preset_builds_to_the_count_it_claims(family: Family, preset: Preset) -> None:
    model = studio.build(family.design(preset.name), device="meta")
    assert sum(p.numel() for p in model.parameters()) == preset.params


def test_no_preset_that_has_a_row_goes_unchecked() -> None:
    matched = {tuple(fact["zoo"]) for fact in FACTS}
    counts = {(fact["zoo"][0], fact["params"]) for fact in FACTS}
    for family, preset in PRESETS:
        if (family.key, preset.params) in counts:
            assert (family.key, preset.name) in matched
