"""Stages of residual blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from studio.blocks.coatnet import PreNormMBConvBlock
from studio.blocks.convnext import ConvNeXtBlock, ConvNeXtDownsample
from studio.blocks.inverted_residual import MBConvBlock
from studio.blocks.norm import GroupNorm, SlowBatchNorm
from studio.blocks.residual import (
    BasicBlock,
    Bottleneck,
    PaddedResidualUnit,
    PlainUnit,
    ResidualFunction,
    ResidualUnit,
)
from studio.blocks.weight_standardisation import StandardisedUnit
from studio.knobs import knob
from studio.stages.convolution import MapStage
from studio.stages.stage import Map, downsample


@dataclass(frozen=True, kw_only=True)
class Residual(MapStage):
    """Stacks residual units, which train at great depth because each adds to a shortcut.

    Residual units of two 3 × 3 convolutions, or bottlenecks (He et al. 2016).
    (B, C, H, W) to (B, width, H/stride, W/stride); with bottlenecks to 4·width channels.
    """

    block: type[ResidualFunction] = knob(
        Bottleneck, "Residual function", options=(BasicBlock, Bottleneck)
    )
    depth: int = knob(3, "Units", axis="depth", ge=1, le=200)
    width: int = knob(
        64,
        "Channels of the 3 × 3 convolutions; a bottleneck outputs four times as many",
        axis="width",
        ge=4,
        le=2048,
        step=4,
    )
    stride: int = knob(2, "Stride of the first unit", ge=1, le=4)
    shortcut: type[nn.Module] = knob(
        ResidualUnit,
        "Shortcut where the shape changes: projected or zero-padded; or no shortcut",
        options=(ResidualUnit, PaddedResidualUnit, PlainUnit),
    )
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "Norm after each convolution", options=(nn.BatchNorm2d, GroupNorm)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, self.block.expansion * self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        channels = self.block.expansion * self.width
        return nn.Sequential(
            self.shortcut(self.block, x.channels, self.width, self.stride, self.norm),
            *(
                self.shortcut(self.block, channels, self.width, 1, self.norm)
                for _ in range(self.depth - 1)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class StandardisedResidual(MapStage):
    """Stacks bottlenecks with weight standardisation, as the ResNet of the hybrid ViT does.

    Bottlenecks as in BiT (Kolesnikov et al. 2020, section 3.2).
    (B, C, H, W) to (B, 4·width, H/stride, W/stride).
    """

    depth: int = knob(3, "Units", axis="depth", ge=1, le=64)
    width: int = knob(
        64,
        "Channels of the 3 × 3 convolutions; a unit outputs four times as many",
        axis="width",
        ge=4,
        le=2048,
        step=4,
    )
    stride: int = knob(2, "Stride of the first unit", ge=1, le=4)
    norm: type[nn.Module] = knob(
        GroupNorm, "Norm after each convolution", options=(GroupNorm, nn.BatchNorm2d)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, 4 * self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        return nn.Sequential(
            StandardisedUnit(x.channels, self.width, self.stride, self.norm),
            *(
                StandardisedUnit(4 * self.width, self.width, 1, self.norm)
                for _ in range(self.depth - 1)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class MBConv(MapStage):
    """Stacks EfficientNet's inverted residuals: accurate for few parameters and MACs.

    Inverted residuals with squeeze and excitation (Tan & Le 2019).
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(2, "Blocks", axis="depth", ge=1, le=64)
    width: int = knob(64, "Output channels of each block", axis="width", ge=4, le=4096, step=4)
    expand_ratio: int = knob(6, "Expansion: hidden channels over input channels", ge=1, le=10)
    kernel_size: int = knob(3, "Kernel size of the depthwise convolutions", options=(3, 5, 7))
    stride: int = knob(2, "Stride of the first block", ge=1, le=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm after each convolution",
        options=(nn.BatchNorm2d, SlowBatchNorm, GroupNorm),
    )
    activation: type[nn.Module] = knob(
        nn.SiLU, "Activation", options=(nn.SiLU, nn.ReLU6, nn.Hardswish, nn.GELU)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        widths = (x.channels, *[self.width] * self.depth)
        return nn.Sequential(
            *(
                MBConvBlock(
                    widths[i],
                    self.expand_ratio,
                    self.width,
                    self.kernel_size,
                    self.stride if i == 0 else 1,
                    nn.Identity(),
                    self.norm,
                    self.activation,
                )
                for i in range(self.depth)
            )
        )


@dataclass(frozen=True, kw_only=True)
class PreNormMBConv(MapStage):
    """Stacks CoAtNet's inverted residuals, which normalise first.

    Pre-norm inverted residuals (Dai et al. 2021).
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(2, "Blocks", axis="depth", ge=1, le=64)
    width: int = knob(96, "Output channels of each block", axis="width", ge=8, le=4096, step=8)
    expand_ratio: int = knob(4, "Expansion: hidden channels over output channels", ge=1, le=10)
    stride: int = knob(2, "Stride of the first block", ge=1, le=4)
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation", options=(nn.GELU, nn.SiLU, nn.ReLU, nn.Hardswish)
    )

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        E, activation = self.expand_ratio, self.activation
        return nn.Sequential(
            PreNormMBConvBlock(x.channels, self.width, E, self.stride, activation),
            *(
                PreNormMBConvBlock(self.width, self.width, E, 1, activation)
                for _ in range(self.depth - 1)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ConvNeXtBlocks(MapStage):
    """Stacks ConvNeXt blocks: a large depthwise kernel, then an MLP on each pixel.

    ConvNeXt blocks (Liu et al. 2022), after a downsampling layer where the shape changes.
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(3, "Blocks", axis="depth", ge=1, le=64)
    width: int = knob(96, "Output channels", axis="width", ge=8, le=4096, step=8)
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over the width",
        ge=0.5,
        le=8.0,
        step=0.5,
        of="width",
        size="mlp_dim",
    )
    kernel_size: int = knob(
        7, "Kernel size of the depthwise convolutions", options=(3, 5, 7, 9, 11)
    )
    stride: int = knob(2, "Kernel size and stride of the downsampling layer", ge=1, le=4)
    layer_scale: float = knob(
        1e-6, "Initial LayerScale γ; 1 gives a plain residual", options=(1e-6, 1e-4, 0.1, 1.0)
    )
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )

    def flow(self, x: Map) -> Map:
        downsample(x, self.width, self.stride)
        height, width = x.height // self.stride, x.width // self.stride
        return replace(x, channels=self.width, height=height, width=width)

    def build(self, x: Map) -> nn.Module:
        layers = nn.Sequential()
        if self.stride > 1 or x.channels != self.width:
            layers.append(ConvNeXtDownsample(x.channels, self.width, self.stride))
        for _ in range(self.depth):
            layers.append(
                ConvNeXtBlock(
                    self.width,
                    self.kernel_size,
                    self.mlp_ratio,
                    self.layer_scale,
                    nn.Identity(),
                    self.activation,
                )
            )
        return layers
