"""The hybrids give what timm gives, weight for weight. Runs where timm is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio

from .test_transformers_vision import scatter

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


@pytest.fixture(scope="module")
def timm() -> Any:
    return pytest.importorskip("timm")


def distance(mine: nn.Module, theirs: nn.Module, weights: Iterator[tuple[str, Tensor]]) -> float:
    """Between the logits, relative, once the weights are copied."""
    own = mine.state_dict()
    mine.load_state_dict({name: weight.reshape(own[name].shape) for name, weight in weights})
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        logits = theirs(images)
        return float((mine(images) - logits).abs().max() / logits.abs().max())


@pytest.mark.parametrize("preset", ["CoAtNet-0", "CoAtNet-1", "CoAtNet-2"])
def test_coatnet(timm: Any, preset: str) -> None:
    theirs = scatter(timm.create_model(f"coatnet_{preset[-1]}_224"))
    mine = studio.build(studio.design("hybrid", preset=preset))
    assert distance(mine, theirs, coatnet_weights(mine, theirs)) < 1e-5


def coatnet_weights(mine: nn.Module, theirs: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Theirs by our names. Their heads hold q, k and v each, and their table its heads last."""
    tables = {False: [], True: []}  # type: dict[bool, list[tuple[str, Tensor]]]
    for name, weight in theirs.state_dict().items():
        tables["relative_position" in name].append((name, weight))
    for theirs_are_tables, found in tables.items():
        names = [n for n in mine.state_dict() if n.endswith("offset") is theirs_are_tables]
        for name, (their_name, weight) in zip(names, found, strict=True):
            if theirs_are_tables:
                yield name, weight.T
            elif "qkv" in their_name:
                yield name, weight.reshape(-1, 3, 32, *weight.shape[1:]).transpose(0, 1)
            else:
                yield name, weight


def test_the_hybrid_vision_transformer(timm: Any) -> None:
    theirs = scatter(timm.create_model("vit_base_r50_s16_224", num_classes=1000))
    mine = studio.build(studio.design("hybrid", preset="R50+ViT-B/16"))
    weights = theirs.state_dict().items()
    ordered = [weight for _, weight in sorted(weights, key=lambda item: place(item[0]))]
    pairs = zip(mine.state_dict(), ordered, strict=True)
    assert distance(mine, theirs, iter(pairs)) < 1e-5


def place(name: str) -> tuple[int, str, bool]:
    """Where a weight of theirs stands in ours: what projects a shortcut comes last in its unit."""
    parts = ("backbone.stem", "backbone.stages", "patch_embed.proj", "cls_token", "pos_embed")
    rank = next((i for i, part in enumerate(parts) if part in name), len(parts))
    unit = name.partition("blocks.")[0] + name.partition("blocks.")[2].partition(".")[0]
    return rank, unit if rank == 1 else "", "downsample" in name
