r"""A residual network learns what to *change*, not what to output.

Stack more layers on a network that works, and it should do no worse: the new layers could simply
copy their input. In practice plain stacks did do worse, and not because of overfitting: even the
*training* error of a plain 34-layer network is higher than that of an 18-layer one. Copying turns
out to be hard to learn for layers of weights and ReLUs. So the paper provides the copy for free. A
block computes $\mathcal{F}(x)$ and the *shortcut* carries $x$ around it:

$$y = \mathrm{ReLU}(\mathcal{F}(x) + x)$$

**Why it trains.** In the backward pass the sum passes the gradient through unchanged: $\partial
y/\partial x$ contains an identity plus the derivative of $\mathcal{F}$, so the gradient reaches the
first layers however many blocks lie between. Set the shortcut to `PlainUnit` to switch it off, and
compare the gradients layer by layer. It is often said that they vanish without it; that holds for
saturating activations without normalisation (see the classic CNN). Behind batch normalisation they
*explode* towards the first layers: before the first step of training we measured a factor of ten
million between the last convolution and the first of a plain 110-layer network; with shortcuts it
was about two hundred where option B fits the shapes, and about thirty with option A (both are
below).

**What to watch.** Each stage halves the map and doubles the channels, so every block costs the same
compute, and the last stage holds most of the parameters. A `BasicBlock` is two 3 × 3 convolutions.
A `Bottleneck` reduces to a quarter of the channels with a 1 × 1 convolution, applies its 3 × 3
convolution there, and expands again: three layers at the price of two, which is how ResNet-50
becomes deeper than ResNet-34 at about the same compute. The map is averaged before the one linear
layer, so parameters do not depend on the resolution.

Where a stage begins, $x$ and $\mathcal{F}(x)$ differ in shape. Option B (`ResidualUnit`) projects
$x$ by a 1 × 1 convolution; option A (`PaddedResidualUnit`) skips every other pixel and pads the new
channels with zeros, and so has no parameters at all. As in torchvision, the stride of a bottleneck
sits on its 3 × 3 convolution ("v1.5"); the paper had it on the first 1 × 1, which discards three of
every four pixels.

Shapes: B batch, C channels, C' channels after a unit or the stem, C'' after the last stage,
w width of F, H W image, H' W' after striding, H'' W'' after the last stage.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385

Official code: https://github.com/KaimingHe/deep-residual-networks
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from studio.blocks.norm import GroupNorm
from studio.blocks.residual import (
    BasicBlock,
    Bottleneck,
    PaddedResidualUnit,
    PlainUnit,
    ResidualFunction,
    ResidualUnit,
)
from studio.blocks.resnet_backbone import ImageNetStem, ResNetStem
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob
from studio.stages.head import PooledHead
from studio.stages.residual import Residual
from studio.stages.stem import ConvPoolStem, ConvStem, SquareImageStem


class CIFARStem(ResNetStem):
    """One 3 × 3 convolution that keeps the size of small images (section 4.2)."""

    stride = 1

    def __init__(self, in_channels: int, width: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.norm = norm(width)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)  # (B, C', H, W)
        return self.relu(self.norm(x))


class ResidualStage(nn.Sequential):
    """Units of equal width; the first one takes the stride and the change of channels.

    (B, C, H, W) -> (B, expansion·width, H/stride, W/stride).
    """

    def __init__(
        self,
        shortcut: type[nn.Module],
        block: type[ResidualFunction],
        depth: int,
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
    ) -> None:
        channels = block.expansion * width
        super().__init__(
            shortcut(block, in_channels, width, stride, norm),
            *(shortcut(block, channels, width, 1, norm) for _ in range(depth - 1)),
        )


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Hyper-parameters of a ResNet (Table 1 of the paper; section 4.2 for CIFAR)."""

    depths: tuple[int, ...] = knob(
        (3, 4, 6, 3), "Blocks in each stage", axis="depth", ge=1, le=200, lengths=(3, 4)
    )
    base_channels: int = knob(
        64,
        "Channels of the first stage; doubled with each stage",
        axis="width",
        ge=8,
        le=256,
        step=8,
    )
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=16, le=640, step=8)
    block: type[ResidualFunction] = knob(
        Bottleneck, "Residual function F of a block", options=(BasicBlock, Bottleneck)
    )
    shortcut: type[nn.Module] = knob(
        ResidualUnit,
        "Shortcut around F: projected (option B), zero-padded (option A), or none",
        options=(ResidualUnit, PaddedResidualUnit, PlainUnit),
    )
    stem: type[ResNetStem] = knob(ImageNetStem, "Stem", options=(ImageNetStem, CIFARStem))
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm; GroupNorm suits small batches",
        options=(nn.BatchNorm2d, GroupNorm),
    )
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)

    def __post_init__(self) -> None:
        stride = self.stem.stride * 2 ** (len(self.depths) - 1)
        if self.image_size <= stride:  # one pixel has no variance for BatchNorm to divide by
            raise ValueError(
                f"image_size={self.image_size} shrinks to one pixel: "
                f"stem={self.stem.__name__} and depths={self.depths} divide it by {stride}"
            )


class ResNet(nn.Module):
    """A stem, stages of residual units, the mean over the map, one linear layer."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        width = config.base_channels
        self.stem = config.stem(config.in_channels, width, config.norm)
        self.stages = nn.Sequential()
        channels = width
        for i, depth in enumerate(config.depths):
            w, stride = width * 2**i, 1 if i == 0 else 2
            self.stages.append(
                ResidualStage(
                    config.shortcut, config.block, depth, channels, w, stride, config.norm
                )
            )
            channels = config.block.expansion * w
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, config.num_classes)
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-out (He et al. 2015, https://arxiv.org/abs/1502.01852)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.stem(images)  # (B, C', H', W')
        x = self.stages(x)  # (B, C'', H'', W'')
        x = self.pool(x).flatten(1)  # (B, C'')
        return self.fc(x)  # (B, num_classes)


def example(config: ResNetConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def stages(config: ResNetConfig) -> dict[str, Any]:
    """The settings of the equivalent composition."""
    small: Callable[..., SquareImageStem] = partial(ConvStem, stride=1)
    stem = ConvPoolStem if config.stem is ImageNetStem else small
    return {
        "stem": stem(
            image_size=config.image_size,
            in_channels=config.in_channels,
            width=config.base_channels,
            norm=config.norm,
        ),
        "stages": tuple(
            Residual(
                block=config.block,
                depth=depth,
                width=config.base_channels * 2**i,
                stride=1 if i == 0 else 2,
                shortcut=config.shortcut,
                norm=config.norm,
            )
            for i, depth in enumerate(config.depths)
        ),
        "head": PooledHead(num_classes=config.num_classes),
    }


def imagenet(block: type[ResidualFunction], *depths: int, num_classes: int = 1000) -> ResNetConfig:
    """A column of Table 1."""
    return ResNetConfig(block=block, depths=depths, num_classes=num_classes)


def cifar(depth: int, shortcut: type[nn.Module]) -> ResNetConfig:
    """Section 4.2: 6n + 2 layers in three stages of 16, 32 and 64 channels."""
    return ResNetConfig(
        depths=((depth - 2) // 6,) * 3,
        base_channels=16,
        image_size=32,
        block=BasicBlock,
        shortcut=shortcut,
        stem=CIFARStem,
        num_classes=10,
    )


def cifar_stem(block: type[ResidualFunction], *depths: int) -> ResNetConfig:
    """An ImageNet ResNet whose stem keeps the size of 32 × 32 images."""
    return ResNetConfig(depths=depths, image_size=32, block=block, stem=CIFARStem, num_classes=10)


TORCHVISION = "torchvision, documentation of "
TORCHVISION_10 = "torchvision, num_classes=10, "
TABLE_6 = "He et al. 2016, Table 6, to the two digits it gives; exact by the sum over the layers"
OPTION_B = "option A (He et al. 2016, Table 6) and two projections: 16·32 + 2·32 + 32·64 + 2·64"
KUANGLIU = "the layout of https://github.com/kuangliu/pytorch-cifar"

# fmt: off
PRESETS = (
    Preset("ResNet-50", imagenet(Bottleneck, 3, 4, 6, 3), 25_557_032, TORCHVISION + "resnet50"),
    Preset("ResNet-18", imagenet(BasicBlock, 2, 2, 2, 2), 11_689_512, TORCHVISION + "resnet18"),
    Preset("ResNet-34", imagenet(BasicBlock, 3, 4, 6, 3), 21_797_672, TORCHVISION + "resnet34"),
    Preset("ResNet-101", imagenet(Bottleneck, 3, 4, 23, 3), 44_549_160, TORCHVISION + "resnet101"),
    Preset("ResNet-152", imagenet(Bottleneck, 3, 8, 36, 3), 60_192_808, TORCHVISION + "resnet152"),
    Preset("ResNet-18 (10 classes)", imagenet(BasicBlock, 2, 2, 2, 2, num_classes=10), 11_181_642, TORCHVISION_10 + "resnet18"),  # noqa: E501
    Preset("ResNet-50 (10 classes)", imagenet(Bottleneck, 3, 4, 6, 3, num_classes=10), 23_528_522, TORCHVISION_10 + "resnet50"),  # noqa: E501
    Preset("ResNet-18 (CIFAR)", cifar_stem(BasicBlock, 2, 2, 2, 2), 11_173_962, KUANGLIU),
    Preset("ResNet-50 (CIFAR)", cifar_stem(Bottleneck, 3, 4, 6, 3), 23_520_842, KUANGLIU),
    Preset("ResNet-20 (A)", cifar(20, PaddedResidualUnit), 269_722, TABLE_6),
    Preset("ResNet-32 (A)", cifar(32, PaddedResidualUnit), 464_154, TABLE_6),
    Preset("ResNet-44 (A)", cifar(44, PaddedResidualUnit), 658_586, TABLE_6),
    Preset("ResNet-56 (A)", cifar(56, PaddedResidualUnit), 853_018, TABLE_6),
    Preset("ResNet-110 (A)", cifar(110, PaddedResidualUnit), 1_727_962, TABLE_6),
    Preset("ResNet-1202 (A)", cifar(1202, PaddedResidualUnit), 19_421_274, TABLE_6),
    Preset("ResNet-20 (B)", cifar(20, ResidualUnit), 272_474, OPTION_B),
    Preset("ResNet-32 (B)", cifar(32, ResidualUnit), 466_906, OPTION_B),
    Preset("ResNet-56 (B)", cifar(56, ResidualUnit), 855_770, OPTION_B),
    Preset("ResNet-110 (B)", cifar(110, ResidualUnit), 1_730_714, OPTION_B),
    Preset("ResNet-1202 (B)", cifar(1202, ResidualUnit), 19_424_026, OPTION_B),
)
# fmt: on

WEIGHTS = "torchvision, IMAGENET1K_V1 weights, one crop at 224"
KUANGLIU_README = "https://github.com/kuangliu/pytorch-cifar, README (it gives the accuracy)"
CIFAR_10 = "He et al. 2016, Table 6"

FAMILY = Family(
    title="ResNet",
    config=ResNetConfig,
    model=ResNet,
    example=example,
    presets=PRESETS,
    stages=stages,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="a proven classifier is wanted, or a backbone for detection or segmentation",
        avoid_when="every millisecond on a phone counts (MobileNet), or data is plentiful (ViT)",
        strengths=(
            "trains at a hundred layers and more, with plain SGD",
            "pre-trained weights everywhere; transfers well from a few thousand images",
            "its four stages are the feature pyramid that detectors and segmenters build on",
        ),
        cost=(
            r"a basic block: $18 w^2$ parameters, a bottleneck: $17 w^2$, each once for every "
            r"pixel in MACs; $w$ doubles and the pixels quarter from stage to stage"
        ),
        related=("cnn", "vit", "unet"),
        results=(
            *results(
                "ImageNet-1k top-1",
                "%",
                WEIGHTS,
                {
                    "ResNet-18": 69.758,
                    "ResNet-34": 73.314,
                    "ResNet-50": 76.13,
                    "ResNet-101": 77.374,
                    "ResNet-152": 78.312,
                },
            ),
            *results(
                "CIFAR-10 error",
                "%",
                CIFAR_10,
                {
                    "ResNet-20 (A)": 8.75,
                    "ResNet-32 (A)": 7.51,
                    "ResNet-44 (A)": 7.17,
                    "ResNet-56 (A)": 6.97,
                    "ResNet-1202 (A)": 7.93,
                },
            ),
            *results(
                "CIFAR-10 error", "%", CIFAR_10 + ", best of 5 runs", {"ResNet-110 (A)": 6.43}
            ),
            *results(
                "CIFAR-10 error",
                "%",
                KUANGLIU_README,
                {"ResNet-18 (CIFAR)": 6.98, "ResNet-50 (CIFAR)": 6.38},
            ),
        ),
    ),
)
