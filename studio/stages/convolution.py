"""Stages of convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import nn

from studio.blocks.conv import ConvChain, ConvNormAct
from studio.blocks.inception import InceptionModule
from studio.blocks.norm import GroupNorm, SlowBatchNorm
from studio.blocks.squeeze_excite import SqueezeExcite
from studio.knobs import knob
from studio.stages.stage import Map, Stage, downsample


class MapStage(Stage[Map]):
    """A stage from map to map."""

    takes = Map


@dataclass(frozen=True, kw_only=True)
class Conv(MapStage):
    """Finds local patterns with plain convolutions, each with its norm and activation.

    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(1, "Convolutions", axis="depth", ge=1, le=32)
    width: int = knob(64, "Output channels", axis="width", ge=4, le=8192, step=4)
    kernel_size: int = knob(3, "Kernel size", ge=1, le=11)
    stride: int = knob(1, "Stride of the first convolution", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm after each convolution; with Identity the convolutions have biases",
        options=(nn.BatchNorm2d, SlowBatchNorm, GroupNorm, nn.Identity),
    )
    activation: type[nn.Module] = knob(
        nn.ReLU,
        "Activation",
        options=(nn.ReLU, nn.GELU, nn.SiLU, nn.ReLU6, nn.Hardswish, nn.Identity),
    )

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        return ConvChain(
            x.channels,
            self.width,
            self.depth,
            self.kernel_size,
            self.stride,
            bias=self.norm is nn.Identity,
            norm=self.norm,
            activation=self.activation,
        )


@dataclass(frozen=True, kw_only=True)
class DepthwiseSeparable(MapStage):
    """Finds local patterns at a fraction of the cost of plain convolutions, as MobileNet does.

    Pairs of a depthwise and a pointwise convolution (Howard et al. 2017, section 3.1).
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(1, "Pairs of convolutions", axis="depth", ge=1, le=32)
    width: int = knob(128, "Output channels", axis="width", ge=4, le=4096, step=4)
    kernel_size: int = knob(
        3, "Kernel size of the depthwise convolutions", options=(3, 5, 7, 9, 11)
    )
    stride: int = knob(1, "Stride of the first convolution", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "Norm after each convolution", options=(nn.BatchNorm2d, GroupNorm)
    )
    activation: type[nn.Module] = knob(
        nn.ReLU6, "Activation", options=(nn.ReLU6, nn.ReLU, nn.GELU, nn.SiLU)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        conv = partial(ConvNormAct, norm=self.norm, activation=self.activation)
        layers, channels = nn.Sequential(), x.channels
        for i in range(self.depth):
            stride = self.stride if i == 0 else 1
            layers.append(
                conv(channels, channels, self.kernel_size, stride=stride, groups=channels)
            )
            layers.append(conv(channels, self.width, 1))
            channels = self.width
        return layers


@dataclass(frozen=True, kw_only=True)
class Inception(MapStage):
    """Looks at several scales at once, in parallel branches with different kernels.

    Inception modules (Szegedy et al. 2015, Figure 2b) with the branch proportions of module 3a.
    A max pooling before the first one has the stride.
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(2, "Modules", axis="depth", ge=1, le=16)
    width: int = knob(
        256,
        "Output channels of all branches together",
        axis="width",
        ge=32,
        le=2048,
        step=16,
        multiple=16,
    )
    kernel_size: int = knob(5, "Kernel size of the widest branch", options=(3, 5, 7))
    stride: int = knob(2, "Stride of the max pooling; 1 omits it", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "Norm after each convolution", options=(nn.BatchNorm2d, GroupNorm)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        sixteenth = self.width // 16
        shares = [part * sixteenth for part in (4, 6, 8, 1, 2, 2)]
        layers, channels = nn.Sequential(), x.channels
        if self.stride > 1:
            layers.append(nn.MaxPool2d(3, self.stride, padding=1))
        for _ in range(self.depth):
            layers.append(InceptionModule(channels, shares, self.kernel_size, False, self.norm))
            channels = self.width
        return layers


@dataclass(frozen=True, kw_only=True)
class SqueezeExcitation(MapStage):
    """Weights each channel by the content of the whole map.

    Squeeze and excitation (Hu et al. 2018). (B, C, H, W) to (B, C, H, W).
    """

    reduction: int = knob(16, "Reduction ratio: channels over squeezed channels", ge=1, le=64)

    def flow(self, x: Map) -> Map:
        return x

    def build(self, x: Map) -> nn.Module:
        squeezed = max(1, x.channels // self.reduction)
        return SqueezeExcite(x.channels, squeezed, activation=nn.ReLU, gate=nn.Sigmoid)
