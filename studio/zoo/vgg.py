r"""VGG asks one question: how far does depth alone carry a plain convolutional network?

Everything else is fixed. Every convolution is 3 × 3, the smallest window with a left, a right, a
top and a bottom, every pooling halves the map, and after each pooling the channels double until
there are $8c$. Then depth grows from 11 to 19 weight layers, and the error falls.

**Why 3 × 3.** Two in sequence see 5 × 5 pixels, three see 7 × 7. But three layers of $C$ channels
have $3 \cdot 9\,C^2 = 27\,C^2$ weights where one 7 × 7 layer has $49\,C^2$, and there are three
ReLUs instead of one: more non-linearity for fewer weights. Almost every network since is built on
this observation.

**What to watch.** The parameters are in the wrong place. The first linear layer alone reads $7
\cdot 7 \cdot 512$ features into 4096: 103 of VGG-16's 138 million weights, and less than a
hundredth of its compute. `OneLayerHead` averages the map first, as later networks do, which leaves
the 15 million weights of the convolutions. Most compute is in the first stages: 64 channels at full
resolution cost as much as 512 at an eighth, and their maps fill most of the memory in training.

**Where plain depth ends.** Without normalisation, networks of 16 and more layers could only be
trained from the weights of shallower ones (or by careful initialisation). Batch normalisation
removes that limit; beyond some twenty layers even this is not enough, and residual networks take
over. Convolutions keep their bias before BatchNorm, as in torchvision, although it has no effect
there.

The head reads a map of 7 × 7; for images other than 224 the last map is averaged (or repeated) to
that size, as in torchvision, so that the same weights fit every resolution.

Shapes: B batch, C channels, C' channels after a layer, c base_channels, H W image,
H' = H/32 (H/2 after one stage), F features that the head reads.

Paper: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, https://arxiv.org/abs/1409.1556

Official code: https://www.robots.ox.ac.uk/~vgg/research/very_deep/
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import GroupNorm
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class VGGHead(nn.Module):
    """The classifier: (B, C, H, W) -> (B, num_classes)."""


class ThreeLayerHead(VGGHead):
    """The paper's: FC-4096, FC-4096 and FC-1000 on a 7 × 7 map."""

    def __init__(self, channels: int, hidden_dim: int, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.layers = nn.Sequential(
            nn.Linear(49 * channels, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x).flatten(1)  # (B, F)
        return self.layers(x)  # (B, num_classes)


class OneLayerHead(VGGHead):
    """Global average pooling and one linear layer, for small images; `hidden_dim` is not used."""

    def __init__(self, channels: int, hidden_dim: int, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x).flatten(1)  # (B, F)
        return self.fc(self.dropout(x))  # (B, num_classes)


@dataclass(frozen=True, kw_only=True)
class VGGConfig:
    """Hyper-parameters of a VGG (Table 1 of the paper; the defaults are configuration A)."""

    depths: tuple[int, ...] = knob(
        (1, 1, 2, 2, 2), "Convolutions in each of the five stages", axis="depth", ge=1, le=8
    )
    base_channels: int = knob(
        64, "Channels c of the first stage; doubled up to 8c", axis="width", ge=8, le=128, step=8
    )
    hidden_dim: int = knob(
        4096, "Hidden width of ThreeLayerHead", axis="width", ge=64, le=8192, step=64
    )
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=32, le=512, step=32)
    third_kernel_size: int = knob(
        3, "Kernel size of a stage's third convolution: 1 in configuration C", options=(1, 3)
    )
    norm: type[nn.Module] = knob(
        nn.Identity,
        "Norm after each convolution; Identity for none",
        options=(nn.Identity, nn.BatchNorm2d, GroupNorm),
    )
    head: type[VGGHead] = knob(ThreeLayerHead, "Classifier", options=(ThreeLayerHead, OneLayerHead))
    dropout: float = knob(0.5, "Dropout rate in the head", ge=0.0, le=0.9, step=0.05)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)


class VGGStage(nn.Sequential):
    """Convolutions at one resolution, then max-pooling: (B, C, H, W) -> (B, C', H/2, W/2)."""

    def __init__(
        self, in_channels: int, channels: int, kernels: list[int], norm: type[nn.Module]
    ) -> None:
        inputs = [in_channels] + [channels] * (len(kernels) - 1)
        super().__init__(
            *(
                ConvNormAct(
                    c, channels, k, padding=k // 2, bias=True, norm=norm, activation=nn.ReLU
                )
                for c, k in zip(inputs, kernels, strict=True)
            ),
            nn.MaxPool2d(2),
        )


class VGG(nn.Module):
    """Five stages of 3 × 3 convolutions and a classifier (section 2.1)."""

    def __init__(self, config: VGGConfig) -> None:
        super().__init__()
        widths = [config.base_channels * min(2**i, 8) for i in range(len(config.depths))]
        self.features = nn.Sequential()
        for i, (c, d) in enumerate(pairwise([config.in_channels, *widths])):
            kernels = [config.third_kernel_size if k == 2 else 3 for k in range(config.depths[i])]
            self.features.append(VGGStage(c, d, kernels, config.norm))
        self.classifier = config.head(
            widths[-1], config.hidden_dim, config.dropout, config.num_classes
        )
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-out (He et al. 2015), so that it trains without a norm (torchvision)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.features(images)  # (B, C', H', W')
        return self.classifier(x)  # (B, num_classes)


def example(config: VGGConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def table_1(
    *depths: int, norm: type[nn.Module] = nn.Identity, third_kernel_size: int = 3
) -> VGGConfig:
    """A column of Table 1, for images of 224 × 224."""
    return VGGConfig(depths=depths, norm=norm, third_kernel_size=third_kernel_size)


def cifar(*depths: int) -> VGGConfig:
    """For images of 32 × 32: the last map is one pixel, and one linear layer reads it."""
    return VGGConfig(
        depths=depths,
        image_size=32,
        norm=nn.BatchNorm2d,
        head=OneLayerHead,
        dropout=0.0,
        num_classes=10,
    )


TORCHVISION = "torchvision, documentation of "
TABLE_2 = (
    "Simonyan & Zisserman 2015, Table 2, to the million it gives; exact by the sum of its layers"
)
KUANGLIU = "the layout of https://github.com/kuangliu/pytorch-cifar, summed over its layers"

# fmt: off
PRESETS = (
    Preset("VGG-11", table_1(1, 1, 2, 2, 2), 132_863_336, TORCHVISION + "vgg11"),
    Preset("VGG-13", table_1(2, 2, 2, 2, 2), 133_047_848, TORCHVISION + "vgg13"),
    Preset("VGG-16", table_1(2, 2, 3, 3, 3), 138_357_544, TORCHVISION + "vgg16"),
    Preset("VGG-19", table_1(2, 2, 4, 4, 4), 143_667_240, TORCHVISION + "vgg19"),
    Preset("VGG-11-BN", table_1(1, 1, 2, 2, 2, norm=nn.BatchNorm2d), 132_868_840, TORCHVISION + "vgg11_bn"),  # noqa: E501
    Preset("VGG-13-BN", table_1(2, 2, 2, 2, 2, norm=nn.BatchNorm2d), 133_053_736, TORCHVISION + "vgg13_bn"),  # noqa: E501
    Preset("VGG-16-BN", table_1(2, 2, 3, 3, 3, norm=nn.BatchNorm2d), 138_365_992, TORCHVISION + "vgg16_bn"),  # noqa: E501
    Preset("VGG-19-BN", table_1(2, 2, 4, 4, 4, norm=nn.BatchNorm2d), 143_678_248, TORCHVISION + "vgg19_bn"),  # noqa: E501
    Preset("VGG-16 (C)", table_1(2, 2, 3, 3, 3, third_kernel_size=1), 133_638_952, TABLE_2),
    Preset("VGG-11-BN (CIFAR-10)", cifar(1, 1, 2, 2, 2), 9_231_114, KUANGLIU),
    Preset("VGG-13-BN (CIFAR-10)", cifar(2, 2, 2, 2, 2), 9_416_010, KUANGLIU),
    Preset("VGG-16-BN (CIFAR-10)", cifar(2, 2, 3, 3, 3), 14_728_266, KUANGLIU),
    Preset("VGG-19-BN (CIFAR-10)", cifar(2, 2, 4, 4, 4), 20_040_522, KUANGLIU),
)
# fmt: on

TABLE_3 = "Simonyan & Zisserman 2015, Table 3 (27.3 % error; one scale, 384)"
KUANGLIU_README = "https://github.com/kuangliu/pytorch-cifar, README (it gives the accuracy)"
TOP_1 = "ImageNet-1k top-1"
WEIGHTS = "torchvision, IMAGENET1K_V1 weights, one crop at 224"

FAMILY = Family(
    title="VGG",
    config=VGGConfig,
    model=VGG,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="features for style transfer or a perceptual loss are wanted, or a plain baseline",
        avoid_when="parameters, memory or time count: ResNet-34 is as good at a sixth of the size",
        strengths=(
            "the plainest deep network: one kind of layer, nothing to tune",
            "its feature maps follow human judgement of similarity unusually well",
            "runs at full speed everywhere: dense 3 × 3 convolutions and nothing else",
        ),
        cost=(
            r"a 3 × 3 layer: $9\,C C'$ parameters, once for every pixel in MACs; the head: "
            r"$49 \cdot 8c \cdot h + h^2$ parameters with $h$ hidden units, 120 of VGG-16's 138 M"
        ),
        related=("cnn", "resnet", "inception"),
        results=(
            *results(
                TOP_1,
                "%",
                WEIGHTS,
                {
                    "VGG-11": 69.02,
                    "VGG-13": 69.928,
                    "VGG-16": 71.592,
                    "VGG-19": 72.376,
                    "VGG-11-BN": 70.37,
                    "VGG-13-BN": 71.586,
                    "VGG-16-BN": 73.36,
                    "VGG-19-BN": 74.218,
                },
            ),
            *results(TOP_1, "%", TABLE_3, {"VGG-16 (C)": 72.7}),
            *results("CIFAR-10 error", "%", KUANGLIU_README, {"VGG-16-BN (CIFAR-10)": 7.36}),
        ),
    ),
)
