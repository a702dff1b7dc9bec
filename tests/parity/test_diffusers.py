"""DDPM and DiT give what diffusers gives, weight for weight. Runs where diffusers is installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


@pytest.fixture(scope="module")
def diffusers() -> Any:
    return pytest.importorskip("diffusers")


def scatter(model: nn.Module) -> nn.Module:
    """Random weights everywhere: what is zero at first would hide a difference."""
    torch.manual_seed(0)
    for name, p in model.named_parameters():
        nn.init.normal_(p, std=0.1 if p.dim() == 1 else p[0].numel() ** -0.5)
        if "norm" in name and name.endswith("weight"):
            nn.init.normal_(p, mean=1.0, std=0.1)
    return model.eval()


def distance(mine: Tensor, theirs: Tensor) -> float:
    return float((mine - theirs).abs().max() / theirs.abs().max())


def test_ddpm_takes_the_weights_of_diffusers_in_order(diffusers: Any) -> None:
    design = studio.design("diffusion", base_channels=64)
    theirs = scatter(
        diffusers.UNet2DModel(
            sample_size=32,
            block_out_channels=(64, 128, 128, 128),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            layers_per_block=2,
            freq_shift=1,
            flip_sin_to_cos=False,
            downsample_padding=0,
            attention_head_dim=None,
            norm_eps=1e-6,
        )
    )
    mine = studio.build(design).eval()
    weights = dict(zip(mine.state_dict(), theirs.state_dict().values(), strict=True))
    mine.load_state_dict(weights)
    images, time = studio.example(design, batch=2)
    with torch.no_grad():
        assert distance(mine(images, time), theirs(images, time).sample) < 1e-5


def test_dit_is_that_of_diffusers(diffusers: Any) -> None:
    design = studio.design("dit", depth=2)
    mine = scatter(studio.build(design))
    theirs = diffusers.DiTTransformer2DModel(
        num_attention_heads=6,
        attention_head_dim=64,
        num_layers=2,
        in_channels=4,
        out_channels=8,
        sample_size=32,
        patch_size=2,
    ).eval()
    for module in theirs.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6
    for block in theirs.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0  # diffusers' default is another
    theirs.load_state_dict(as_diffusers(mine.state_dict(), depth=2))
    latents, time, _ = studio.example(design, batch=2)
    labels = torch.tensor([7, 1000])
    with torch.no_grad():
        expected = theirs(latents, timestep=time, class_labels=labels).sample
        assert distance(mine(latents, time, labels), expected) < 1e-5


def as_diffusers(weights: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """The weights of a DiT by diffusers' names, which has the embedders anew in each block."""
    outer = {
        "pos_embed.proj": "x_embedder.proj",
        "proj_out_1": "final_layer.adaLN_modulation.1",
        "proj_out_2": "final_layer.linear",
    }
    inner = {
        "norm1.linear": "adaLN_modulation.1",
        "attn1.to_out.0": "attn.proj",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
    }
    named = {}
    for kind in ("weight", "bias"):
        named |= {f"{theirs}.{kind}": weights[f"{mine}.{kind}"] for theirs, mine in outer.items()}
        for i in range(depth):
            block, own = f"transformer_blocks.{i}", f"blocks.{i}"
            for theirs, mine in inner.items():
                named[f"{block}.{theirs}.{kind}"] = weights[f"{own}.{mine}.{kind}"]
            for part, weight in zip("qkv", weights[f"{own}.attn.qkv.{kind}"].chunk(3), strict=True):
                named[f"{block}.attn1.to_{part}.{kind}"] = weight
            for number, layer in ((1, 0), (2, 2)):
                embedder = f"{block}.norm1.emb.timestep_embedder.linear_{number}"
                named[f"{embedder}.{kind}"] = weights[f"t_embedder.mlp.{layer}.{kind}"]
    table = weights["y_embedder.embedding_table.weight"]
    for i in range(depth):
        classes = f"transformer_blocks.{i}.norm1.emb.class_embedder"
        named[f"{classes}.embedding_table.weight"] = table
    return named
