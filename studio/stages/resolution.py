"""Stages that change the height and width of a map."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from studio.blocks.conv import ConvNormAct
from studio.knobs import knob
from studio.stages.convolution import MapStage
from studio.stages.stage import Map


@dataclass(frozen=True, kw_only=True)
class Pool(MapStage):
    """Shrinks the map by keeping the maximum or the mean of each window.

    Each window becomes one pixel; it is as large as the stride.
    (B, C, H, W) to (B, C, H/stride_height, W/stride_width).
    """

    layer: type[nn.Module] = knob(
        nn.MaxPool2d, "Pooling layer", options=(nn.MaxPool2d, nn.AvgPool2d)
    )
    stride_height: int = knob(2, "Stride in the height", ge=1, le=8)
    stride_width: int = knob(2, "Stride in the width", ge=1, le=8)

    def flow(self, x: Map) -> Map:
        for dim, stride, side in (
            ("height", self.stride_height, x.height),
            ("width", self.stride_width, x.width),
        ):
            if stride > side:
                raise ValueError(f"stride_{dim}={stride} exceeds the {dim} of {x}")
        height, width = x.height // self.stride_height, x.width // self.stride_width
        return replace(x, height=height, width=width)

    def build(self, x: Map) -> nn.Module:
        return self.layer((self.stride_height, self.stride_width))


@dataclass(frozen=True, kw_only=True)
class Upsample(MapStage):
    """Enlarges the map by repeating or interpolating its pixels.

    (B, C, H, W) to (B, C, scale_factor·H, scale_factor·W).
    """

    layer: type[nn.Module] = knob(
        nn.UpsamplingNearest2d,
        "Nearest-neighbour or bilinear interpolation",
        options=(nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
    )
    scale_factor: int = knob(2, "Upsampling factor", ge=2, le=8)

    def flow(self, x: Map) -> Map:
        return replace(x, height=self.scale_factor * x.height, width=self.scale_factor * x.width)

    def build(self, x: Map) -> nn.Module:
        return self.layer(scale_factor=self.scale_factor)


@dataclass(frozen=True, kw_only=True)
class ValidConv(MapStage):
    """Convolves without padding, so that the map loses its border.

    (B, C, H, W) to (B, width, H - k + 1, W - k + 1) with kernel size k.
    """

    width: int = knob(64, "Output channels", axis="width", ge=4, le=4096, step=4)
    kernel_size: int = knob(2, "Kernel size", ge=2, le=11)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "Norm after the convolution, or none", options=(nn.BatchNorm2d, nn.Identity)
    )
    activation: type[nn.Module] = knob(
        nn.ReLU, "Activation", options=(nn.ReLU, nn.GELU, nn.SiLU, nn.Identity)
    )

    def flow(self, x: Map) -> Map:
        if self.kernel_size > min(x.height, x.width):
            raise ValueError(f"kernel_size={self.kernel_size} exceeds the height or width of {x}")
        border = self.kernel_size - 1
        height, width = x.height - border, x.width - border
        return replace(x, channels=self.width, height=height, width=width)

    def build(self, x: Map) -> nn.Module:
        return ConvNormAct(
            x.channels,
            self.width,
            self.kernel_size,
            padding=0,
            bias=self.norm is nn.Identity,
            norm=self.norm,
            activation=self.activation,
        )
