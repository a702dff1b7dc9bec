"""Stages of convolutions, from map to map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.residual import BasicBlock, Bottleneck, ResidualFunction, ResidualUnit
from studio.blocks.stages.flow import Map, Row, shrunk
from studio.knobs import knob


class MapStage(Row):
    """A stage from map to map."""

    takes = Map


@dataclass(frozen=True, kw_only=True)
class Conv(MapStage):
    """Plain convolutions, each with its norm and activation; the first has the stride."""

    depth: int = knob(1, "Convolutions", axis="depth", ge=1, le=32)
    width: int = knob(64, "Channels", axis="width", ge=4, le=4096, step=4)
    kernel_size: int = knob(3, "Kernel", ge=1, le=11)
    stride: int = knob(1, "Stride of the first", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "After each convolution", options=(nn.BatchNorm2d, nn.Identity)
    )
    activation: type[nn.Module] = knob(
        nn.ReLU, "After the norm", options=(nn.ReLU, nn.GELU, nn.SiLU, nn.Identity)
    )

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        widths = (x.channels, *[self.width] * self.depth)
        return nn.Sequential(
            *(
                ConvNormAct(
                    widths[i],
                    widths[i + 1],
                    self.kernel_size,
                    stride=self.stride if i == 0 else 1,
                    bias=self.norm is nn.Identity,
                    norm=self.norm,
                    activation=self.activation,
                )
                for i in range(self.depth)
            )
        )


@dataclass(frozen=True, kw_only=True)
class Residual(MapStage):
    """Residual units (He et al. 2016): of two 3 × 3 convolutions, or bottlenecks."""

    block: type[ResidualFunction] = knob(
        Bottleneck, "What is added to the shortcut", options=(BasicBlock, Bottleneck)
    )
    depth: int = knob(3, "Units", axis="depth", ge=1, le=48)
    width: int = knob(
        64,
        "Channels within; a bottleneck ends four times as wide",
        axis="width",
        ge=4,
        le=2048,
        step=4,
    )
    stride: int = knob(2, "Stride of the first unit", ge=1, le=4)

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.block.expansion * self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        channels = self.block.expansion * self.width
        widths = (x.channels, *[channels] * self.depth)
        return nn.Sequential(
            *(
                ResidualUnit(
                    self.block,
                    widths[i],
                    self.width,
                    self.stride if i == 0 else 1,
                    nn.BatchNorm2d,
                )
                for i in range(self.depth)
            )
        )
