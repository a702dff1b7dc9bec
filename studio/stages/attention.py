"""Stages of attention that keep the map: each pixel looks at others, by where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from studio.blocks.coatnet import RelativeBlock
from studio.blocks.window_attention import GridBlock, WindowBlock
from studio.knobs import knob
from studio.stages.convolution import MapStage
from studio.stages.stage import Map, shrunk


@dataclass(frozen=True, kw_only=True)
class RelativeTransformer(MapStage):
    """Lets every pixel attend to every other, weighted by their offset too, as in CoAtNet.

    Attention between all pixels, with a weight for each offset (CoAtNet, Dai et al. 2021).
    """

    depth: int = knob(2, "Blocks", axis="depth", ge=1, le=64)
    width: int = knob(384, "Channels", axis="width", ge=8, le=4096, step=8)
    num_heads: int = knob(12, "Attention heads; they divide the width", axis="heads", ge=1, le=128)
    mlp_ratio: float = knob(
        4.0, "MLP width over the width", ge=0.5, le=8.0, step=0.5, of="width", size="mlp_dim"
    )
    stride: int = knob(2, "Stride of the mean over pixels before the first block", ge=1, le=4)

    def __post_init__(self) -> None:
        if self.width % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide width={self.width}")

    def flow(self, x: Map) -> Map:
        return shrunk(x, self.width, self.stride)

    def build(self, x: Map) -> nn.Module:
        y, hidden = self.flow(x), round(self.mlp_ratio * self.width)
        out = (self.width, self.num_heads, hidden, y.height, y.width)
        return nn.Sequential(
            RelativeBlock(x.channels, *out, self.stride),
            *(RelativeBlock(self.width, *out) for _ in range(self.depth - 1)),
        )


@dataclass(frozen=True, kw_only=True)
class WindowTransformer(MapStage):
    """Lets pixels attend within windows and within grids by turns: cheap on large maps.

    Attention within windows and within grids by turns (MaxViT, Tu et al. 2022).

    A window holds neighbours, a grid pixels from all over the map. The width is that of the map
    that flows in.
    """

    depth: int = knob(2, "Blocks: windows and grids by turns", axis="depth", ge=1, le=64)
    num_heads: int = knob(
        8, "Attention heads; they divide the channels", axis="heads", ge=1, le=128
    )
    window_size: int = knob(7, "Side of a window; it divides that of the map", ge=2, le=32)
    mlp_ratio: float = knob(4.0, "MLP width over the width", ge=0.5, le=8.0, step=0.5)

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
