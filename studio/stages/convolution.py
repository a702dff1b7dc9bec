"""Stages of convolutions, from map to map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import nn

from studio.blocks.conv import ConvChain, ConvNormAct
from studio.blocks.inception import InceptionModule
from studio.blocks.norm import GroupNorm, SlowBatchNorm
from studio.blocks.squeeze_excite import SqueezeExcite
from studio.knobs import knob
from studio.stages.stage import Map, Row, shrunk


class MapStage(Row):
    """A stage from map to map."""

    takes = Map


@dataclass(frozen=True, kw_only=True)
class Conv(MapStage):
    """Finds local patterns with plain convolutions, each with its norm and activation."""

    depth: int = knob(1, "Convolutions", axis="depth", ge=1, le=32)
    width: int = knob(64, "Channels", axis="width", ge=4, le=8192, step=4)
    kernel_size: int = knob(3, "Kernel", ge=1, le=11)
    stride: int = knob(1, "Stride of the first", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "After each convolution; without one, each has a bias",
        options=(nn.BatchNorm2d, SlowBatchNorm, GroupNorm, nn.Identity),
    )
    activation: type[nn.Module] = knob(
        nn.ReLU,
        "After the norm",
        options=(nn.ReLU, nn.GELU, nn.SiLU, nn.ReLU6, nn.Hardswish, nn.Identity),
    )

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.width, self.stride)

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

    Depthwise convolutions, a pointwise one after each (Howard et al. 2017, section 3.1).
    """

    depth: int = knob(1, "Pairs of convolutions", axis="depth", ge=1, le=32)
    width: int = knob(128, "Channels", axis="width", ge=4, le=4096, step=4)
    kernel_size: int = knob(3, "Kernel of the depthwise ones", options=(3, 5, 7, 9, 11))
    stride: int = knob(1, "Stride of the first", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "After each convolution", options=(nn.BatchNorm2d, GroupNorm)
    )
    activation: type[nn.Module] = knob(
        nn.ReLU6, "After the norm", options=(nn.ReLU6, nn.ReLU, nn.GELU, nn.SiLU)
    )

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.width, self.stride)

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

    Inception modules (Szegedy et al. 2015, Figure 2b), their branches in the proportions of 3a.

    A max-pooling takes the stride before the first one.
    """

    depth: int = knob(2, "Modules", axis="depth", ge=1, le=16)
    width: int = knob(
        256, "Channels of all branches", axis="width", ge=32, le=2048, step=16, multiple=16
    )
    kernel_size: int = knob(5, "Kernel of the branch that sees farthest", options=(3, 5, 7))
    stride: int = knob(2, "Stride of the max-pooling; 1 leaves it out", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "After each convolution", options=(nn.BatchNorm2d, GroupNorm)
    )

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.width, self.stride)

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
    """Weights each channel by what the whole map holds.

    Squeeze and excitation (Hu et al. 2018).
    """

    reduction: int = knob(16, "Channels over the squeezed ones", ge=1, le=64)

    def flow(self, x: Map) -> Map:
        return x

    def build(self, x: Map) -> nn.Module:
        squeezed = max(1, x.channels // self.reduction)
        return SqueezeExcite(x.channels, squeezed, activation=nn.ReLU, gate=nn.Sigmoid)
