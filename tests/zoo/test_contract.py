"""What every family promises. A new file in the zoo is held to it without a line of test."""

from __future__ import annotations

import re

import pytest
import torch

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.family import Family
from tests.designs import corners, options, tensors

FAMILIES = list(zoo.families().values())
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)


@every_family
def test_presets_are_exact_named_once_and_have_a_source(family: Family) -> None:
    for preset in family.presets:
        counted = profile(family.design(preset.name)).params
        assert preset.params in (None, counted), preset.name
        assert preset.source, preset.name
    names = [preset.name for preset in family.presets]
    assert len(names) == len(set(names))


@every_family
def test_every_knob_builds_at_its_ends(family: Family) -> None:
    for label, design in corners(family):
        found = profile(design)
        assert found.params > 0, label
        assert found.macs > 0, label
        assert found.output_shapes[0][0] == 1, label


@every_family
def test_the_profile_is_that_of_the_model_that_runs(family: Family) -> None:
    for label, design in options(family):
        model = family.model(design.config).eval()
        with torch.inference_mode():
            outputs = tensors(model(*family.example(design.config, 2)))
        found = profile(design, 2)
        assert found.params == sum(p.numel() for p in model.parameters()), label
        assert found.output_shapes == tuple(tuple(t.shape) for t in outputs), label


@every_family
def test_the_lesson_names_shapes_paper_and_code(family: Family) -> None:
    for heading in ("Shapes:", "Paper:", "Official code:"):
        assert f"\n{heading}" in family.lesson, heading
    assert re.search(r"Paper: .*https://", family.lesson, re.DOTALL)


@every_family
def test_knobs_say_what_they_mean_and_take_their_defaults(family: Family) -> None:
    assert {knob.axis for knob in family.design().knobs.values()} > {None}
    for name, knob in family.knobs.items():
        assert knob.help, name
        for preset in family.presets:
            value = getattr(preset.config, name)
            assert knob.read(knob.text(value)) == value, f"{preset.name}: {name}"


@every_family
def test_the_guide_points_at_what_there_is(family: Family) -> None:
    guide = family.guide
    assert guide.tasks
    assert guide.cost
    assert guide.strengths
    assert set(guide.related) <= set(zoo.families())
    assert {result.preset for result in guide.results} <= {p.name for p in family.presets}
    assert all(result.source for result in guide.results)
