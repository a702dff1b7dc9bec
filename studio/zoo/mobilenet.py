r"""MobileNets filter each channel by itself, then mix the channels pixel by pixel.

A $k \times k$ convolution from $c$ to $c'$ channels does two things at once: it looks around, and
it mixes channels. That costs $k^2 c\,c'$ multiply-accumulates a pixel. Done one after the other, a
*depthwise* convolution (one $k \times k$ filter a channel) and a *pointwise* one ($1 \times 1$),
the cost is a sum instead of a product:

$$k^2 c + c\,c' \qquad\text{a fraction } \frac{1}{c'} + \frac{1}{k^2} \text{ of the full cost}$$

With $k = 3$ that is eight to nine times less, for about one percent of accuracy.

**Three versions, one idea.** V1 is a plain stack of such pairs. V2 puts each depthwise filter
inside an *inverted residual*: a $1 \times 1$ convolution expands the channels $t$ times, the filter
works there, and a second $1 \times 1$ without activation projects back to few channels, to which
the input is added. Only the narrow ends stay in memory; the wide middle is freed at once. V3 was
found by search: each line of its table has its own kernel and expansion, some weight the channels
with a *squeeze-and-excite*, and the expensive first and last layers were redesigned by hand. Its
hard-swish, $x \cdot \mathrm{ReLU6}(x + 3)/6$, is a swish that small processors can afford. The
*minimalistic* V3 omits 5 × 5 kernels, squeeze-and-excite and hard-swish, slow on some accelerators.

**What to watch.** The width multiplier $\alpha$ thins every layer, so compute falls with about
$\alpha^2$; the last layer of V2 and V3 keeps its width when $\alpha < 1$, and then holds most of
the parameters. Resolution changes compute alone, with its square. (The depth multiplier, which
repeats the lines of a table, is EfficientNet's idea; the papers keep it at 1.) Almost all of the
compute is in the $1 \times 1$ convolutions, yet the depthwise ones take more than their share of
the time: they do little work per byte read, so fewer MACs are not always fewer milliseconds, least
of all on a GPU.

TensorFlow pads a stride-2 convolution on the right and below only; here, as in torchvision, all
sides are padded, so with the official checkpoints these layers would be shifted by one pixel.

Shapes: B batch, C channels, C' channels after a layer, E expanded channels, S squeezed channels,
F features of the classifier, H W image, H' W' after striding.

Paper: V1: Howard et al., "MobileNets", 2017, https://arxiv.org/abs/1704.04861; V2: Sandler et al.,
"MobileNetV2", CVPR 2018, https://arxiv.org/abs/1801.04381; V3: Howard et al., "Searching for
MobileNetV3", ICCV 2019, https://arxiv.org/abs/1905.02244

Official code: https://github.com/tensorflow/models/tree/master/research/slim/nets
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.inverted_residual import InvertedResidual, make_divisible
from studio.blocks.norm import SlowBatchNorm
from studio.blocks.squeeze_excite import SqueezeExcite
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class Line(NamedTuple):
    """A line of a version's table: n blocks that give c channels, the first with stride s."""

    n: int
    c: int
    s: int
    t: float = 1  # expansion of an inverted residual
    k: int = 3  # kernel size of its depthwise convolution
    squeeze: bool = False
    activation: type[nn.Module] = nn.ReLU


class Version(nn.Sequential):
    """The layers before the classifier: (B, C, H, W) -> (B, channels, H/32, W/32).

    A stem of stride 2, then a `block` for each entry of `lines`, the table of the version.
    """

    stem: int
    lines: tuple[Line, ...]
    block: Callable[[Line, int, int], nn.Module]  # from `channels` to as many, with a stride
    norm: type[nn.Module] = nn.BatchNorm2d
    activation: type[nn.Module] = nn.ReLU6

    def __init__(self, in_channels: int, width_mult: float, depth_mult: float) -> None:
        super().__init__()
        self.channels = make_divisible(self.stem * width_mult)
        self.append(self.conv(in_channels, self.channels, 3, 2))
        for line in self.lines:
            channels = make_divisible(line.c * width_mult)
            for i in range(math.ceil(line.n * depth_mult)):
                self.append(self.block(line, channels, line.s if i == 0 else 1))
                self.channels = channels

    def conv(self, channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Module:
        make = partial(ConvNormAct, norm=self.norm, activation=self.activation)
        return make(channels, out_channels, kernel_size, stride=stride)

    def classifier(self, num_classes: int, dropout: float) -> nn.Module:
        """From the means of the channels (B, channels) to logits (B, num_classes)."""
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(self.channels, num_classes))


class DepthwiseSeparable(nn.Module):
    """A depthwise and a pointwise convolution, each normalised and activated (V1, Figure 3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        C, conv = in_channels, partial(ConvNormAct, norm=nn.BatchNorm2d, activation=nn.ReLU6)
        self.depthwise = conv(C, C, 3, stride=stride, groups=C)
        self.pointwise = conv(C, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)  # (B, C, H', W')
        return self.pointwise(x)  # (B, C', H', W')


class MobileNetV1(Version):
    """Table 1 of Howard et al. 2017."""

    stem = 32
    lines = (Line(1, 64, 1), Line(2, 128, 2), Line(2, 256, 2), Line(6, 512, 2), Line(2, 1024, 2))

    def block(self, line: Line, out_channels: int, stride: int) -> nn.Module:
        return DepthwiseSeparable(self.channels, out_channels, stride)


class MobileNetV2(Version):
    """Table 2 of Sandler et al. 2018. The last layer is not thinned by a multiplier below 1."""

    stem = 32
    lines = (
        Line(1, 16, 1, t=1),
        Line(2, 24, 2, t=6),
        Line(3, 32, 2, t=6),
        Line(4, 64, 2, t=6),
        Line(3, 96, 1, t=6),
        Line(3, 160, 2, t=6),
        Line(1, 320, 1, t=6),
    )

    def __init__(self, in_channels: int, width_mult: float, depth_mult: float) -> None:
        super().__init__(in_channels, width_mult, depth_mult)
        features = make_divisible(1280 * max(1.0, width_mult))
        self.append(self.conv(self.channels, features, 1, 1))
        self.channels = features

    def block(self, line: Line, out_channels: int, stride: int) -> nn.Module:
        return InvertedResidual(
            self.channels,
            make_divisible(self.channels * line.t),
            out_channels,
            line.k,
            stride,
            squeeze=nn.Identity(),
            drop_path=nn.Identity(),
            norm=self.norm,
            activation=self.activation,
        )


class MobileNetV3(Version):
    """What Tables 1 and 2 of Howard et al. 2019 share: an *efficient last stage* (Figure 5).

    The last, widest layer of V2 comes behind the pooling, where it sees one pixel and not 49; no
    multiplier thins or widens it.
    """

    stem = 16
    last: int  # channels of the last convolution
    features: int  # of the layer behind the pooling
    norm: type[nn.Module] = SlowBatchNorm
    activation: type[nn.Module] = nn.Hardswish

    def __init__(self, in_channels: int, width_mult: float, depth_mult: float) -> None:
        super().__init__(in_channels, width_mult, depth_mult)
        last = make_divisible(self.last * width_mult)
        self.append(self.conv(self.channels, last, 1, 1))
        self.channels = last

    def block(self, line: Line, out_channels: int, stride: int) -> nn.Module:
        hidden = make_divisible(self.channels * line.t)
        squeeze: nn.Module = nn.Identity()
        if line.squeeze:  # section 5.3: to a quarter, with a hard sigmoid
            squeeze = SqueezeExcite(
                hidden, make_divisible(hidden / 4), activation=nn.ReLU, gate=nn.Hardsigmoid
            )
        return InvertedResidual(
            self.channels,
            hidden,
            out_channels,
            line.k,
            stride,
            squeeze=squeeze,
            drop_path=nn.Identity(),
            norm=self.norm,
            activation=line.activation,
        )

    def classifier(self, num_classes: int, dropout: float) -> nn.Module:
        return nn.Sequential(
            nn.Linear(self.channels, self.features),
            self.activation(),
            nn.Dropout(dropout),
            nn.Linear(self.features, num_classes),
        )


class MobileNetV3Large(MobileNetV3):
    """Table 1 of Howard et al. 2019; equal lines are one."""

    last, features = 960, 1280
    lines: tuple[Line, ...] = (
        Line(1, 16, 1, 1, 3, False, nn.ReLU),
        Line(1, 24, 2, 4, 3, False, nn.ReLU),
        Line(1, 24, 1, 3, 3, False, nn.ReLU),
        Line(3, 40, 2, 3, 5, True, nn.ReLU),
        Line(1, 80, 2, 6, 3, False, nn.Hardswish),
        Line(1, 80, 1, 200 / 80, 3, False, nn.Hardswish),
        Line(2, 80, 1, 184 / 80, 3, False, nn.Hardswish),
        Line(2, 112, 1, 6, 3, True, nn.Hardswish),
        Line(3, 160, 2, 6, 5, True, nn.Hardswish),
    )


class MobileNetV3Small(MobileNetV3):
    """Table 2 of Howard et al. 2019; equal lines are one."""

    last, features = 576, 1024
    lines: tuple[Line, ...] = (
        Line(1, 16, 2, 1, 3, True, nn.ReLU),
        Line(1, 24, 2, 72 / 16, 3, False, nn.ReLU),
        Line(1, 24, 1, 88 / 24, 3, False, nn.ReLU),
        Line(1, 40, 2, 4, 5, True, nn.Hardswish),
        Line(2, 40, 1, 6, 5, True, nn.Hardswish),
        Line(2, 48, 1, 3, 5, True, nn.Hardswish),
        Line(3, 96, 2, 6, 5, True, nn.Hardswish),
    )


class MobileNetV3LargeMinimal(MobileNetV3Large):
    """MobileNetV3-Large without squeeze-and-excite, hard-swish and 5 × 5 filters."""

    activation = nn.ReLU
    lines = tuple(Line(n, c, s, t) for n, c, s, t, *_ in MobileNetV3Large.lines)


class MobileNetV3SmallMinimal(MobileNetV3Small):
    """MobileNetV3-Small without squeeze-and-excite, hard-swish and 5 × 5 filters."""

    activation = nn.ReLU
    lines = tuple(Line(n, c, s, t) for n, c, s, t, *_ in MobileNetV3Small.lines)


@dataclass(frozen=True, kw_only=True)
class MobileNetConfig:
    """Hyper-parameters of a MobileNet: the version, and how much of it."""

    version: type[Version] = knob(
        MobileNetV2,
        "Table of layers",
        options=(
            MobileNetV1,
            MobileNetV2,
            MobileNetV3Large,
            MobileNetV3Small,
            MobileNetV3LargeMinimal,
            MobileNetV3SmallMinimal,
        ),
    )
    depth_mult: float = knob(
        1.0, "Depth multiplier of the repeated blocks", axis="depth", ge=0.25, le=2.0, step=0.05
    )
    width_mult: float = knob(
        1.0, "Width multiplier α of every layer", axis="width", ge=0.25, le=2.0, step=0.05
    )
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=64, le=512, step=16)
    dropout: float = knob(0.2, "Dropout rate before the last layer", ge=0.0, le=0.9, step=0.05)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)


class MobileNet(nn.Module):
    """The layers of a version, the mean over the map, a classifier."""

    def __init__(self, config: MobileNetConfig) -> None:
        super().__init__()
        self.features = config.version(config.in_channels, config.width_mult, config.depth_mult)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = self.features.classifier(config.num_classes, config.dropout)
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-out; the classifier normal with σ = 0.01 (torchvision)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.features(images)  # (B, F, H', W')
        x = self.pool(x).flatten(1)  # (B, F)
        return self.classifier(x)  # (B, num_classes)


def example(config: MobileNetConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


COUNT_V1 = "Howard et al. 2017, Table 1; timm mobilenetv1"
COUNT_V2 = "torchvision, mobilenet_v2(width_mult)"
COUNT_V3 = "official code; timm tf_mobilenetv3"


def v1(width_mult: float) -> MobileNetConfig:
    """Table 6 of V1; the official code has a dropout rate of 0.001."""
    return MobileNetConfig(version=MobileNetV1, width_mult=width_mult, dropout=0.001)


def v2(width_mult: float) -> MobileNetConfig:
    """Section 6.1.1 of V2, and the official checkpoints."""
    return MobileNetConfig(version=MobileNetV2, width_mult=width_mult)


def v3(version: type[MobileNetV3], width_mult: float = 1.0) -> MobileNetConfig:
    """Table 3 of V3, and the official checkpoints."""
    return MobileNetConfig(version=version, width_mult=width_mult)


PRESETS = (
    Preset("MobileNetV2 1.0", v2(1.0), 3_504_872, COUNT_V2),
    Preset("MobileNetV2 0.35", v2(0.35), 1_677_128, COUNT_V2),
    Preset("MobileNetV2 0.5", v2(0.5), 1_968_680, COUNT_V2),
    Preset("MobileNetV2 0.75", v2(0.75), 2_636_424, COUNT_V2),
    Preset("MobileNetV2 1.3", v2(1.3), 5_386_792, COUNT_V2),
    Preset("MobileNetV2 1.4", v2(1.4), 6_108_776, COUNT_V2),
    Preset("MobileNetV1 1.0", v1(1.0), 4_231_976, COUNT_V1),
    Preset("MobileNetV1 0.25", v1(0.25), 470_072, COUNT_V1),
    Preset("MobileNetV1 0.5", v1(0.5), 1_331_592, COUNT_V1),
    Preset("MobileNetV1 0.75", v1(0.75), 2_585_560, COUNT_V1),
    Preset("MobileNetV1 1.25", v1(1.25), 6_270_840, COUNT_V1),
    Preset("MobileNetV3-Large 1.0", v3(MobileNetV3Large), 5_483_032, COUNT_V3),
    Preset("MobileNetV3-Large 0.75", v3(MobileNetV3Large, 0.75), 3_993_528, COUNT_V3),
    Preset("MobileNetV3-Large 1.25", v3(MobileNetV3Large, 1.25), 7_551_976, COUNT_V3),
    Preset("MobileNetV3-Large minimalistic", v3(MobileNetV3LargeMinimal), 3_924_288, COUNT_V3),
    Preset("MobileNetV3-Small 1.0", v3(MobileNetV3Small), 2_542_856, COUNT_V3),
    Preset("MobileNetV3-Small 0.75", v3(MobileNetV3Small, 0.75), 2_041_872, COUNT_V3),
    Preset("MobileNetV3-Small 1.25", v3(MobileNetV3Small, 1.25), 3_205_384, COUNT_V3),
    Preset("MobileNetV3-Small minimalistic", v3(MobileNetV3SmallMinimal), 2_044_736, COUNT_V3),
)

V1_TABLE_6 = "Howard et al. 2017, Table 6"
CHECKPOINTS = "official code, mobilenet/README.md, checkpoints at 224"
TIMM = "timm, mobilenetv1_125.ra4_e3600_r224_in1k, at 224"
TOP_1 = "ImageNet-1k top-1"
V3_TABLE_3 = "Howard et al. 2019, Table 3"
# fmt: off
RESULTS = (
    *results(TOP_1, "%", V1_TABLE_6, {
        "MobileNetV1 1.0": 70.6, "MobileNetV1 0.75": 68.4,
        "MobileNetV1 0.5": 63.7, "MobileNetV1 0.25": 50.6}),
    *results(TOP_1, "%", TIMM, {"MobileNetV1 1.25": 76.924}),
    *results(TOP_1, "%", CHECKPOINTS, {
        "MobileNetV2 1.4": 75.0, "MobileNetV2 1.3": 74.4, "MobileNetV2 1.0": 71.8,
        "MobileNetV2 0.75": 69.8, "MobileNetV2 0.5": 65.4, "MobileNetV2 0.35": 60.3,
        "MobileNetV3-Large minimalistic": 72.3, "MobileNetV3-Small minimalistic": 61.9}),
    *results(TOP_1, "%", V3_TABLE_3, {
        "MobileNetV3-Large 1.0": 75.2, "MobileNetV3-Large 0.75": 73.3,
        "MobileNetV3-Small 1.0": 67.4, "MobileNetV3-Small 0.75": 65.4}),
)

FAMILY = Family(
    title="MobileNet",
    config=MobileNetConfig,
    model=MobileNet,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="the model must fit a phone, a camera or a microcontroller, and answer at once",
        avoid_when="accuracy counts more than milliseconds, or a large GPU does the work",
        strengths=(
            "a usable classifier in a few million parameters and a few hundred million MACs",
            "two dials, width and resolution, trade accuracy for speed without a new design",
            "a light backbone for detection (SSDLite) and segmentation (LR-ASPP, DeepLab)",
        ),
        cost=(
            r"an inverted residual on $c$ channels: $2 t c^2 + k^2 t c$ parameters, and as many "
            r"MACs a pixel; the whole falls with $\alpha^2$ and with the pixels"
        ),
        related=("efficientnet", "resnet", "convnext"),
        results=RESULTS,
    ),
)
