r"""ConvNeXt takes a ResNet and changes it, step by step, into what a transformer would be.

Vision transformers had overtaken convolutional networks; was that due to attention, or to
everything else that had changed with it? The paper starts from ResNet-50 and adopts everything
else, one decision at a time (Figure 2): longer training with strong augmentation, the *patchify*
stem, depthwise convolutions, inverted bottlenecks, large kernels, GELU for ReLU, layer norm for
batch norm, and fewer of both. It has no attention, and matches the Swin transformer.

**The block** is a transformer's in convolutions (Figure 4). A $7 \times 7$ *depthwise* convolution
mixes the pixels, each channel separately, as attention mixes tokens; then an MLP of two pointwise
layers, with four times the width inside, mixes the channels of each pixel. One normalisation and
one activation serve the whole block, and what it adds to the shortcut is scaled by $\gamma$, one
learned value per channel:

$$y = x + \gamma \odot \mathrm{MLP}(\mathrm{LN}(\mathrm{dwconv}_{7 \times 7}(x)))$$

*Layer scale* begins at $\gamma = 10^{-6}$: at the start every block is almost the identity, and
each learns how much to add. That makes deep networks easy to train.

**What to watch.** Nearly all parameters and compute are in the two pointwise layers: $8 C^2$ a
block, so the kernel is almost free in MACs (try 3 and 11), though not in time. Between the stages a
$2 \times 2$ convolution of stride 2 halves the map and doubles the channels; the third stage is the
deep one. Layer norm does not use batch statistics: the output for an image does not depend on the
others in its batch, and it can be trained with a batch of one.

The pointwise layers are linear layers over the last dimension, so each block turns the map to
channels-last and back. That is the official code's form: the same result as $1 \times 1$
convolutions, and faster.

Shapes: B batch, C channels, C' channels after the stem or the last stage, E hidden channels of the
MLP, H W image or map, H' W' after striding.

Paper: Liu et al., "A ConvNet for the 2020s", CVPR 2022, https://arxiv.org/abs/2201.03545

Official code: https://github.com/facebookresearch/ConvNeXt
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.blocks.convnext import ConvNeXtBlock, ConvNeXtDownsample
from studio.blocks.drop_path import drop_paths
from studio.blocks.norm import LayerNorm, LayerNorm2d
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob
from studio.stages.head import PooledHead
from studio.stages.residual import ConvNeXtBlocks
from studio.stages.stem import PatchStem


@dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig:
    """Hyper-parameters of a ConvNeXt (section 3)."""

    depths: tuple[int, ...] = knob((3, 3, 9, 3), "Blocks in each stage", axis="depth", ge=1, le=54)
    base_channels: int = knob(
        96,
        "Channels of the first stage; doubled with each stage",
        axis="width",
        ge=8,
        le=352,
        step=8,
    )
    mlp_ratio: float = knob(4.0, "Hidden width of the MLP over C", ge=1.0, le=8.0, step=0.5)
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=32, le=640, step=32)
    kernel_size: int = knob(
        7, "Kernel size of the depthwise convolutions", options=(3, 5, 7, 9, 11)
    )
    layer_scale: float = knob(
        1e-6, "Initial LayerScale γ; 1 gives a plain residual", options=(1e-6, 1e-4, 0.1, 1.0)
    )
    drop_path: float = knob(
        0.1, "Stochastic depth rate of the last block", ge=0.0, le=0.9, step=0.05
    )
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)


class ConvNeXt(nn.Module):
    """A patchify stem, four stages with down-sampling between them, the mean, a classifier."""

    def __init__(self, config: ConvNeXtConfig) -> None:
        super().__init__()
        channels = config.base_channels
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, channels, 4, stride=4), LayerNorm2d(channels)
        )
        drops = iter(drop_paths(config.drop_path, sum(config.depths)))
        self.stages = nn.Sequential()
        for i, depth in enumerate(config.depths):
            if i > 0:
                self.stages.append(ConvNeXtDownsample(channels, 2 * channels, 2))
                channels = 2 * channels
            blocks = (
                ConvNeXtBlock(
                    channels,
                    config.kernel_size,
                    config.mlp_ratio,
                    config.layer_scale,
                    next(drops),
                    config.activation,
                )
                for _ in range(depth)
            )
            self.stages.append(nn.Sequential(*blocks))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = LayerNorm(channels)
        self.head = nn.Linear(channels, config.num_classes)
        self.init_weights()

    def init_weights(self) -> None:
        """Truncated normal, σ = 0.02; zero biases (official code)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.stem(images)  # (B, C', H/4, W/4)
        x = self.stages(x)  # (B, C', H', W')
        x = self.pool(x).flatten(1)  # (B, C')
        return self.head(self.norm(x))  # (B, num_classes)


def example(config: ConvNeXtConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def stages(config: ConvNeXtConfig) -> dict[str, Any]:
    """The settings of the equivalent composition."""
    return {
        "stem": PatchStem(
            image_size=config.image_size,
            in_channels=config.in_channels,
            width=config.base_channels,
            norm=LayerNorm2d,
        ),
        "stages": tuple(
            ConvNeXtBlocks(
                depth=depth,
                width=config.base_channels * 2**i,
                mlp_ratio=config.mlp_ratio,
                kernel_size=config.kernel_size,
                stride=1 if i == 0 else 2,
                layer_scale=config.layer_scale,
                activation=config.activation,
            )
            for i, depth in enumerate(config.depths)
        ),
        "head": PooledHead(num_classes=config.num_classes, norm=LayerNorm),
    }


def convnext(base_channels: int, depths: tuple[int, ...], drop_path: float = 0.0) -> ConvNeXtConfig:
    """A line of section 3, with the stochastic depth of Table 5 (XL: of its pre-training)."""
    return ConvNeXtConfig(base_channels=base_channels, depths=depths, drop_path=drop_path)


TORCHVISION = "torchvision, documentation of "

# fmt: off
PRESETS = (
    Preset("ConvNeXt-T", convnext(96, (3, 3, 9, 3), 0.1), 28_589_128, TORCHVISION + "convnext_tiny"),  # noqa: E501
    Preset("ConvNeXt-S", convnext(96, (3, 3, 27, 3), 0.4), 50_223_688, TORCHVISION + "convnext_small"),  # noqa: E501
    Preset("ConvNeXt-B", convnext(128, (3, 3, 27, 3), 0.5), 88_591_464, TORCHVISION + "convnext_base"),  # noqa: E501
    Preset("ConvNeXt-L", convnext(192, (3, 3, 27, 3), 0.5), 197_767_336, TORCHVISION + "convnext_large"),  # noqa: E501
    Preset("ConvNeXt-XL", convnext(256, (3, 3, 27, 3), 0.2), 350_196_968, "timm convnext_xlarge"),
    Preset("ConvNeXt-Atto", convnext(40, (2, 2, 6, 2)), 3_695_520, "timm convnext_atto"),
    Preset("ConvNeXt-Femto", convnext(48, (2, 2, 6, 2)), 5_217_784, "timm convnext_femto"),
    Preset("ConvNeXt-Pico", convnext(64, (2, 2, 6, 2)), 9_045_672, "timm convnext_pico"),
    Preset("ConvNeXt-Nano", convnext(80, (2, 2, 8, 2)), 15_593_560, "timm convnext_nano"),
)
# fmt: on

TABLE_1 = "Liu et al. 2022, Table 1 (at 224)"
TIMM_AT_288 = "timm, results-imagenet.csv, trained at 224, tested at 288"
TOP_1 = "ImageNet-1k top-1"
TABLE_1_22K = "Liu et al. 2022, Table 1 (pre-trained on ImageNet-22k, at 224)"

FAMILY = Family(
    title="ConvNeXt",
    config=ConvNeXtConfig,
    model=ConvNeXt,
    example=example,
    presets=PRESETS,
    stages=stages,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="transformer accuracy is wanted with the simplicity of a convolutional network",
        avoid_when="the model must fit a phone (MobileNet), or must read text as well (ViT)",
        strengths=(
            "one plain block, without attention, windows or shifts: any image size",
            "keeps up with Swin on ImageNet, COCO and ADE20K at the same compute",
            "layer norm: trains with batches as small as memory allows",
        ),
        cost=(
            r"a block: $8 C^2 + 49 C$ parameters, each once for every pixel in MACs; $C$ doubles "
            r"and the pixels quarter from stage to stage"
        ),
        related=("resnet", "vit", "efficientnet", "mobilenet"),
        results=(
            *results(
                TOP_1,
                "%",
                TABLE_1,
                {"ConvNeXt-T": 82.1, "ConvNeXt-S": 83.1, "ConvNeXt-B": 83.8, "ConvNeXt-L": 84.3},
            ),
            *results(TOP_1, "%", TABLE_1_22K, {"ConvNeXt-XL": 87.0}),
            *results(
                TOP_1,
                "%",
                TIMM_AT_288,
                {
                    "ConvNeXt-Atto": 77.008,
                    "ConvNeXt-Femto": 78.716,
                    "ConvNeXt-Pico": 80.414,
                    "ConvNeXt-Nano": 81.482,
                },
            ),
        ),
    ),
)
