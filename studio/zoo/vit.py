r"""A Vision Transformer reads an image the way a language model reads a sentence.

The image is cut into $N = HW/P^2$ square patches; one linear map turns each into a token of width
$D$. A learned *class token* joins them, learned *position embeddings* say where each patch was, and
$L$ identical encoder blocks let every token look at every other. The final class token is
classified.

**What to watch.** Depth $L$ multiplies everything. Width $D$ counts twice: parameters and most of
the compute grow with $D^2$. Heads change neither: they split the same $D$ into $h$ parts of $d =
D/h$. Resolution hardly changes the parameters, but the number of tokens: halve the patch size and
$N$ is four times as large, and the $N^2$ of attention begins to dominate.

A convolution has it built in that neighbours matter; a ViT has to learn it. That is why it needs a
lot of data, or strong augmentation, and why it then generalises so well.

Shapes: B batch, C channels, H W image, P patch_size, N = HW/P² patches, T = N + 1 tokens,
D embed_dim, h heads, d = D/h.

Paper: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, https://arxiv.org/abs/2010.11929

Official code: https://github.com/google-research/vision_transformer
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from studio.blocks.encoder import EncoderBlock
from studio.blocks.norm import LayerNorm, RMSNorm
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob
from studio.stages.head import ClassTokenHead
from studio.stages.stem import PatchStem
from studio.stages.tokens import ToTokens, Transformer


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """Hyper-parameters of a ViT (Table 1 of the paper)."""

    depth: int = knob(12, "Encoder blocks L", axis="depth", ge=1, le=48)
    embed_dim: int = knob(768, "Token width D", axis="width", ge=64, le=1664, step=64)
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(12, "Attention heads h", axis="heads", ge=1, le=32)
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=32, le=640, step=2)
    patch_size: int = knob(
        16, "Patch height and width P", axis="resolution", options=(4, 8, 14, 16, 32)
    )
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)
    dropout: float = knob(
        0.0,
        "Dropout rate after the embeddings, each sub-layer, and the MLP's activation",
        ge=0.0,
        le=0.9,
        step=0.05,
    )
    norm: type[nn.Module] = knob(LayerNorm, "Norm", options=(LayerNorm, RMSNorm))
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size={self.image_size} must be a multiple of patch_size={self.patch_size}"
            )


class PatchEmbedding(nn.Module):
    """Cut into P × P patches, map each to D: a convolution whose stride is its kernel (eq. 1)."""

    def __init__(self, patch_size: int, in_channels: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        x = self.proj(images)  # (B, D, H/P, W/P)
        return x.flatten(2).transpose(1, 2)  # (B, N, D)


class ViT(nn.Module):
    """Patches, class token, positions, L encoder blocks, a linear head on the class token."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        D = config.embed_dim
        num_patches = (config.image_size // config.patch_size) ** 2
        self.patch_embed = PatchEmbedding(config.patch_size, config.in_channels, D)
        self.class_token = nn.Parameter(torch.zeros(1, 1, D))
        self.pos_embed = nn.Parameter(torch.empty(1, num_patches + 1, D))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(
                    D,
                    config.num_heads,
                    round(D * config.mlp_ratio),
                    norm=config.norm,
                    activation=config.activation,
                    dropout=config.dropout,
                )
                for _ in range(config.depth)
            )
        )
        self.norm = config.norm(D)
        self.head = nn.Linear(D, config.num_classes)
        self.init_weights()

    def init_weights(self) -> None:
        """Position embeddings normal, σ = 0.02 (official code); linear layers as in PyTorch."""
        nn.init.normal_(self.pos_embed, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.patch_embed(images)  # (B, N, D)
        class_token = self.class_token.expand(x.shape[0], -1, -1)  # (B, 1, D)
        x = torch.cat((class_token, x), dim=1)  # (B, T, D)
        x = self.dropout(x + self.pos_embed)  # (B, T, D)
        x = self.norm(self.blocks(x))  # (B, T, D)
        return self.head(x[:, 0])  # (B, num_classes)


def example(config: ViTConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def stages(config: ViTConfig) -> dict[str, Any]:
    """The settings of the equivalent composition."""
    return {
        "stem": PatchStem(
            image_size=config.image_size,
            in_channels=config.in_channels,
            width=config.embed_dim,
            patch_size=config.patch_size,
        ),
        "stages": (
            ToTokens(class_token=True),
            Transformer(
                depth=config.depth,
                num_heads=config.num_heads,
                mlp_ratio=config.mlp_ratio,
                norm=config.norm,
                activation=config.activation,
            ),
        ),
        "head": ClassTokenHead(num_classes=config.num_classes, norm=config.norm),
    }


def vit(
    depth: int, embed_dim: int, num_heads: int, patch_size: int, image_size: int = 224
) -> ViTConfig:
    """A row of Table 1; the MLP is four times as wide as the token."""
    return ViTConfig(
        depth=depth,
        embed_dim=embed_dim,
        num_heads=num_heads,
        patch_size=patch_size,
        image_size=image_size,
    )


TABLE_5 = "Dosovitskiy et al. 2021, Table 5 (pre-trained on ImageNet-21k, fine-tuned at 384)"
TORCHVISION = "torchvision, documentation of "
V1_WEIGHTS = "torchvision, IMAGENET1K_V1 weights, one crop at 224"
SWAG = (
    "torchvision, IMAGENET1K_SWAG weights (pre-trained on 3.6 billion images): linear at 224, "
    "fine-tuned at 518"
)
AUGREG = "timm, results-imagenet.csv, augreg_in21k_ft_in1k weights (pre-trained on ImageNet-21k)"
TOP_1 = "ImageNet-1k top-1"

# fmt: off
PRESETS = (
    Preset("ViT-B/16", vit(12, 768, 12, 16), 86_567_656, TORCHVISION + "vit_b_16"),
    Preset("ViT-Ti/16", vit(12, 192, 3, 16), 5_717_416, "timm vit_tiny_patch16_224"),
    Preset("ViT-S/16", vit(12, 384, 6, 16), 22_050_664, "timm vit_small_patch16_224"),
    Preset("ViT-S/32", vit(12, 384, 6, 32), 22_878_952, "timm vit_small_patch32_224"),
    Preset("ViT-B/8", vit(12, 768, 12, 8), 86_576_872, "timm vit_base_patch8_224"),
    Preset("ViT-B/32", vit(12, 768, 12, 32), 88_224_232, TORCHVISION + "vit_b_32"),
    Preset("ViT-L/16", vit(24, 1024, 16, 16), 304_326_632, TORCHVISION + "vit_l_16"),
    Preset("ViT-L/32", vit(24, 1024, 16, 32), 306_535_400, TORCHVISION + "vit_l_32"),
    Preset("ViT-H/14", vit(32, 1280, 16, 14), 632_045_800, "torchvision vit_h_14 at 224"),
    Preset("ViT-Ti/16 @384", vit(12, 192, 3, 16, 384), 5_790_376, "timm vit_tiny_patch16_384"),
    Preset("ViT-S/16 @384", vit(12, 384, 6, 16, 384), 22_196_584, "timm vit_small_patch16_384"),
    Preset("ViT-B/16 @384", vit(12, 768, 12, 16, 384), 86_859_496, "timm vit_base_patch16_384"),
    Preset("ViT-L/16 @384", vit(24, 1024, 16, 16, 384), 304_715_752, "timm vit_large_patch16_384"),
    Preset("ViT-H/14 @518", vit(32, 1280, 16, 14, 518), 633_470_440, TORCHVISION + "vit_h_14"),
    Preset("ViT-g/14", replace(vit(40, 1408, 16, 14), mlp_ratio=48 / 11), 1_012_611_432, "timm vit_giant_patch14_224"),  # noqa: E501
)
# fmt: on

FAMILY = Family(
    title="Vision Transformer",
    config=ViTConfig,
    model=ViT,
    example=example,
    presets=PRESETS,
    stages=stages,
    guide=Guide(
        tasks=("classification",),
        data="large",
        use_when="there are millions of images, or weights pre-trained on them to start from",
        avoid_when="there are a few thousand images and no pre-trained weights: take a ResNet",
        strengths=(
            "every token sees the whole image from the first block on",
            "one uniform block: easy to scale, to parallelise and to read",
            "transfers well to detection, segmentation and multi-modal models",
        ),
        cost=r"$12 L D^2$ parameters; $L(12 N D^2 + 2 N^2 D)$ MACs, with $N = HW/P^2$ tokens",
        related=("attention", "resnet"),
        results=(
            *results(
                TOP_1,
                "%",
                V1_WEIGHTS,
                {"ViT-B/16": 81.072, "ViT-B/32": 75.912, "ViT-L/16": 79.662, "ViT-L/32": 76.972},
            ),
            *results(TOP_1, "%", SWAG, {"ViT-H/14": 85.708, "ViT-H/14 @518": 88.552}),
            *results(TOP_1, "%", TABLE_5, {"ViT-B/16 @384": 83.97, "ViT-L/16 @384": 85.15}),
            *results(
                TOP_1,
                "%",
                AUGREG,
                {
                    "ViT-Ti/16": 75.454,
                    "ViT-S/16": 81.384,
                    "ViT-S/32": 75.994,
                    "ViT-B/8": 85.798,
                    "ViT-Ti/16 @384": 78.424,
                    "ViT-S/16 @384": 83.802,
                },
            ),
        ),
    ),
)
