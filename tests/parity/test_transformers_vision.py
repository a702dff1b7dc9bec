"""Convolutional networks give what transformers gives, weight for weight. Runs where it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import studio

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def scatter(model: nn.Module) -> nn.Module:
    """Random weights and statistics everywhere: γ = 1e-6 would hide its block."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, mean=1.0, std=0.3)
        else:
            nn.init.normal_(parameter, std=(2 / parameter[0].numel()) ** 0.5)
    for name, buffer in model.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


def distance(mine: nn.Module, theirs: nn.Module) -> float:
    """Between the logits, relative, once the weights are copied in the order of the layers."""
    own = mine.eval().state_dict()
    pairs = zip(own.items(), theirs.state_dict().values(), strict=True)
    mine.load_state_dict({name: weight.reshape(place.shape) for (name, place), weight in pairs})
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        logits = theirs(images).logits
        return float((mine(images) - logits).abs().max() / logits.abs().max())


def test_convnext(transformers: Any) -> None:
    config = transformers.ConvNextConfig(
        hidden_sizes=[40, 80, 160, 320], depths=[2, 2, 6, 2], num_labels=1000
    )
    theirs = scatter(transformers.ConvNextForImageClassification(config))
    assert distance(studio.build(studio.design("convnext", preset="ConvNeXt-Atto")), theirs) < 1e-5


def test_mobilenet_v1(transformers: Any) -> None:
    config = transformers.MobileNetV1Config(
        tf_padding=False, layer_norm_eps=1e-5, depth_multiplier=0.5, num_labels=1000
    )
    theirs = scatter(transformers.MobileNetV1ForImageClassification(config))
    mine = studio.build(studio.design("mobilenet", preset="MobileNetV1 0.5"))
    assert distance(mine, theirs) < 1e-5


def test_mobilenet_v2(transformers: Any) -> None:
    config = transformers.MobileNetV2Config(
        tf_padding=False, layer_norm_eps=1e-5, depth_multiplier=0.5, num_labels=1000
    )
    theirs = scatter(transformers.MobileNetV2ForImageClassification(config))
    mine = studio.build(studio.design("mobilenet", preset="MobileNetV2 0.5"))
    assert distance(mine, theirs) < 1e-5
