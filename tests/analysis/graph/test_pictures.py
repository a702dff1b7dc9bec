"""The picture of every family and preset: small when folded, legible at every level, and its
figures add up to the profile."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from studio import zoo
from studio.analysis.cost.profiler import profile, training_trace
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.drawing.graph import Figures, Graph, Node
from studio.drawing.layout.layered import layout
from studio.family import Design, DesignError, Family
from tests.commit_sample import commit_random, commit_sample
from tests.contact_sheet import opened
from tests.drawing.legible import faults
from tests.pipeline import random_settings

FAMILIES = list(zoo.families().values())
FOLDED = 60  # boxes at most of a folded picture
# Families with parameters that a forward pass for inference does not use.
UNUSED = {
    "inception": "the auxiliary heads answer in training alone",
    "yolo": "the bins of a box, a constant that decoding reads",
}


def drawn(design: Design) -> Graph:
    return build_graph(profile(design).root, stage_titles(design.config), training_trace(design, 1))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_preset_folds_to_a_small_and_legible_picture(family: Family) -> None:
    for preset in family.presets:
        found = drawn(family.design(preset.name))
        picture = layout(found)
        assert len(picture.boxes) < FOLDED
        assert faults(picture, found) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
@pytest.mark.parametrize("level", [1, 2, 9])
def test_every_family_is_legible_unfolded(family: Family, level: int) -> None:
    found = drawn(family.design())
    assert faults(layout(found, frozenset(opened(found.root, level))), found) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_figures_add_up_to_the_profile_on_every_level(family: Family) -> None:
    for preset in family.presets:
        adds_up(family.design(preset.name))


def test_figures_of_random_designs_add_up_to_the_profile() -> None:
    chance = commit_random("figures that add up")
    for family in commit_sample("families whose figures add up", FAMILIES, 12):
        adds_up(random_design(family, chance))


def random_design(family: Family, chance: random.Random) -> Design:
    """Of the settings chosen at random the first that go together."""
    while True:
        preset, settings = random_settings(family, chance)
        with suppress(DesignError):
            return family.design(preset, **settings)


def adds_up(design: Design) -> None:
    """The figures of the boxes on every level are those of what they are in, and of the profile."""
    known, found = profile(design), drawn(design)
    whole = Figures(known.params, known.macs, known.saved_bytes, known.activation_count)
    assert found.root.figures == whole
    for block in found.root.walk():
        if block.children:
            inside = sum((node.figures for node in block.children), Figures())
            rest = block.figures - inside * (block.repeat if block.id else 1)
            where = f"{block.id} of {design}"
            assert rest.macs == 0, where
            unused = design.family.key in UNUSED and not block.id
            assert rest.params == 0 or (unused and rest.params > 0), where
            assert rest.activation_count == 0, where
            assert abs(rest.saved_bytes) <= boundary(block), where


def boundary(block: Node) -> int:
    """Of a chain of equal blocks the first may be given what another keeps already, or the last may
    be followed by what has no box: what is inside is told of the second."""
    return block.figures.saved_bytes // block.repeat if block.repeat > 1 else 0
