"""A family that is made of stages opens as a hybrid, and stays the network that it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import studio
from studio.family import Design, Family
from tests.designs import corners, options

STAGED = [family for family in studio.families().values() if family.stages]
every_staged_family = pytest.mark.parametrize("family", STAGED, ids=lambda family: family.key)


def test_these_families_are_made_of_stages() -> None:
    assert [f.key for f in STAGED] == ["convnext", "efficientnet", "resnet", "vit"]


@every_staged_family
def test_every_preset_keeps_its_parameters_and_its_compute(family: Family) -> None:
    for preset in family.presets:
        design = family.design(preset.name)
        before, after = studio.profile(design), studio.profile(studio.as_stages(design))
        assert (after.params, after.macs) == (before.params, before.macs), preset.name


@every_staged_family
def test_every_knob_is_kept(family: Family) -> None:
    for label, design in corners(family):
        before, after = studio.profile(design), studio.profile(studio.as_stages(design))
        assert (after.params, after.macs) == (before.params, before.macs), label


@every_staged_family
def test_with_its_weights_it_gives_what_it_gave(family: Family) -> None:
    for label, design in options(family):
        before, after = studio.build(design), studio.build(studio.as_stages(design))
        scatter(before)
        pairs = zip(after.state_dict().items(), weights(before), strict=True)
        after.load_state_dict({name: weight.reshape(own.shape) for (name, own), weight in pairs})
        inputs = studio.example(design, 2)
        with torch.no_grad():
            torch.testing.assert_close(after(*inputs), before(*inputs), msg=label)


def scatter(model: nn.Module) -> None:
    """Random weights, so that no scale of 1e-6 hides its block."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)


def weights(model: nn.Module) -> Iterator[Tensor]:
    """In the order in which they work: in a vision transformer the patches come before its own."""
    found = model.state_dict()
    first = {name: weight for name, weight in found.items() if name.startswith("patch_embed")}
    yield from (first | found).values()


def test_what_is_not_made_of_stages_is_refused_with_what_is() -> None:
    with pytest.raises(studio.DesignError, match="gpt cannot be opened as stages") as refused:
        studio.as_stages(studio.design("gpt"))
    assert refused.value.nearest == ("convnext", "efficientnet", "resnet", "vit")


def test_what_no_stage_takes_is_refused_by_its_place() -> None:
    with pytest.raises(studio.DesignError, match=r"^stem.image_size=2128 is outside") as refused:
        studio.as_stages(studio.design("efficientnet", preset="EfficientNet-L2", phi=7))
    assert refused.value.knob == "stem.image_size"


def test_a_stage_is_turned_by_itself() -> None:
    opened = studio.as_stages(studio.design("resnet"))
    turned = opened.replace(**{"stages.2.depth": 23})
    resnet101 = studio.design("resnet", preset="ResNet-101")
    assert turned == studio.as_stages(resnet101)
    assert isinstance(turned, Design)
