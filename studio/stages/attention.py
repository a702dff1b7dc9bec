"""Stages of attention between the pixels of a map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from studio.blocks.coatnet import RelativeBlock
from studio.blocks.window_attention import GridBlock, WindowBlock
from studio.knobs import knob
from studio.stages.convolution import MapStage
from studio.stages.stage import Map, downsample


@dataclass(frozen=True, kw_only=True)
class RelativeTransformer(MapStage):
    """Lets every pixel attend to every other, weighted by their offset too, as in CoAtNet.

    Attention with a learned bias for each offset (Dai et al. 2021).
    (B, C, H, W) to (B, width, H/stride, W/stride).
    """

    depth: int = knob(2, "Blocks", axis="depth", ge=1, le=64)
    width: int = knob(384, "Output channels", axis="width", ge=8, le=4096, step=8)
    num_heads: int = knob(
        12, "Attention heads h; must divide the width", axis="heads", ge=1, le=128
    )
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over the width",
        ge=0.5,
        le=8.0,
        step=0.5,
        of="width",
        size="mlp_dim",
    )
    stride: int = knob(2, "Stride of the average pooling in the first block", ge=1, le=4)

    def __post_init__(self) -> None:
        if self.width % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide width={self.width}")

    def flow(self, x: Map) -> Map:
        return downsample(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        y, hidden = self.flow(x), round(self.mlp_ratio * self.width)
        out = (self.width, self.num_heads, hidden, y.height, y.width)
        return nn.Sequential(
            RelativeBlock(x.channels, *out, self.stride),
            *(RelativeBlock(self.width, *out) for _ in range(self.depth - 1)),
        )


@dataclass(frozen=True, kw_only=True)
class WindowTransformer(MapStage):
    """Lets pixels attend within windows and within grids in turn: cheap on large maps.

    A window holds neighbours; a grid holds pixels spread over the whole map (MaxViT, Tu et al.
    2022). (B, C, H, W) to (B, C, H, W).
    """

    depth: int = knob(2, "Blocks, with windows and grids in turn", axis="depth", ge=1, le=64)
    num_heads: int = knob(
        8, "Attention heads h; must divide the channels", axis="heads", ge=1, le=128
    )
    window_size: int = knob(
        7, "Height and width of a window; must divide those of the map", ge=2, le=32
    )
    mlp_ratio: float = knob(4.0, "Hidden width of the MLP over the width", ge=0.5, le=8.0, step=0.5)

    def flow(self, x: Map) -> Map:
        if x.channels % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the channels of the map, {x.channels}"
            )
        if x.height % self.window_size or x.width % self.window_size:
            raise ValueError(
                f"window_size={self.window_size} must divide the sides of the map, "
                f"{x.height} × {x.width}"
            )
        return x

    def build(self, x: Map) -> nn.Module:
        hidden, kinds = round(self.mlp_ratio * x.channels), (WindowBlock, GridBlock)
        return nn.Sequential(
            *(
                kinds[i % 2](x.channels, self.num_heads, hidden, self.window_size)
                for i in range(self.depth)
            )
        )
