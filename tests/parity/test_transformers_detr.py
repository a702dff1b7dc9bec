"""DETR gives what transformers gives, weight for weight. Runs where transformers is installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


def shortcuts_last(names: list[str]) -> list[str]:
    """Its residual units name the shortcut first, ours last."""
    unit = {n: n.partition(".shortcut.")[0].rpartition(".layer.")[0] or n for n in names}
    unit |= {n: n.partition(".shortcut.")[0] for n in names if ".shortcut." in n}
    first = {u: i for i, u in reversed(list(enumerate(unit.values())))}
    return sorted(names, key=lambda n: (first[unit[n]], ".shortcut." in n))


def scatter(model: nn.Module) -> nn.Module:
    """Random weights and statistics everywhere."""
    torch.manual_seed(0)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if "running_var" in name:
            nn.init.uniform_(tensor, 0.5, 1.5)
        elif tensor.dim() == 1:
            nn.init.normal_(tensor, mean=float(name.endswith("weight")), std=0.1)
        else:
            nn.init.normal_(tensor, std=tensor[0].numel() ** -0.5)
    return model.eval()


def distance(mine: Tensor, theirs: Tensor) -> float:
    return float((mine - theirs).abs().max() / theirs.abs().max())


def test_detr_takes_the_weights_of_transformers() -> None:
    transformers: Any = pytest.importorskip("transformers")
    backbone = transformers.ResNetConfig(depths=[1, 2, 1, 1], out_features=["stage4"])
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        backbone_config=backbone,
        num_labels=91,
        encoder_layers=2,
        decoder_layers=2,
    )
    theirs = scatter(transformers.DetrForObjectDetection(config))
    mine = studio.build(
        studio.design("detr", depths=(1, 2, 1, 1), encoder_depth=2, decoder_depth=2)
    ).eval()
    state = theirs.state_dict()
    names = shortcuts_last([name for name in state if "num_batches" not in name])
    mine.load_state_dict(dict(zip(mine.state_dict(), (state[n] for n in names), strict=True)))
    images = torch.randn(2, 3, 96, 160)
    with torch.no_grad():
        answers, expected = mine(images), theirs(images)
    assert distance(answers["logits"], expected.logits) < 1e-5
    assert distance(answers["boxes"], expected.pred_boxes) < 1e-5
