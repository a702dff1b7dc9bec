"""Heads that predict at every pixel of the input: segmentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.conv import ConvNormAct
from studio.knobs import knob
from studio.stages.head import Head
from studio.stages.stage import INPUT, STEM, Flow, Map, place_of


@dataclass(frozen=True, kw_only=True)
class PixelHead(Head[Map, Map]):
    """Labels every pixel: a 1 × 1 convolution, interpolated to the size of the input.

    (B, C, H, W) to logits (B, K, H', W').
    """

    takes = Map

    num_classes: int = knob(21, "Classes K", ge=1, le=10_000)

    @property
    def joins(self) -> tuple[int, ...]:
        return (INPUT,)

    def build(self, x: Map, image: Map) -> nn.Module:
        return PixelClassifier(x.channels, self.num_classes)


class PixelClassifier(nn.Module):
    """Logits of each pixel, at the size of the image.

    (B, C, H, W) and the image (B, 3, H', W') -> (B, K, H', W').
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, num_classes, 1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        x = self.conv(x)  # (B, K, H, W)
        return resize_like(x, image)  # (B, K, H', W')


def resize_like(x: Tensor, like: Tensor) -> Tensor:
    """The map (B, C, H, W), interpolated bilinearly to the height and width of another."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


@dataclass(frozen=True, kw_only=True)
class DecoderHead(Head[Map, Map, *tuple[Map, ...]]):
    """Labels every pixel with a U-Net decoder, which joins earlier stages one by one.

    At each skip the map is resized, concatenated and convolved (Ronneberger et al. 2015); a 1 × 1
    convolution and a resize to the input follow. (B, C, H, W) to logits (B, K, H', W').
    """

    takes = Map

    skips: tuple[int, ...] = knob(
        (STEM,),
        "Numbers of the stages to join, deepest first; -1 is the stem",
        ge=-1,
        le=31,
        lengths=(1, 2, 3, 4, 5, 6),
    )
    depth: int = knob(2, "Convolutions after each skip", axis="depth", ge=1, le=8)
    num_classes: int = knob(21, "Classes K", ge=1, le=10_000)

    @property
    def joins(self) -> tuple[int, ...]:
        return (INPUT, *self.skips)

    def flow(self, x: Map, image: Map, *skips: Flow) -> Flow:
        for number, skip in zip(self.skips, skips, strict=True):
            if not isinstance(skip, Map) or skip.frames > 1:
                given = f"{place_of(number)} gives {skip}"
                raise ValueError(f"skips={number}: {given}, and the decoder joins one map")
        return x

    def build(self, x: Map, image: Map, *skips: Map) -> nn.Module:
        widths = (x.channels, *(skip.channels for skip in skips))
        steps = (UpBlock(below, skip, self.depth) for below, skip in pairwise(widths))
        return Decoder(steps, PixelClassifier(widths[-1], self.num_classes))


class UpBlock(nn.Module):
    """Resizes x to the skip, concatenates both, and convolves to the skip's channels.

    (B, C, H, W) and the skip (B, C', H', W') -> (B, C', H', W').
    """

    def __init__(self, channels: int, skip_channels: int, depth: int) -> None:
        super().__init__()
        widths = (channels + skip_channels, *[skip_channels] * depth)
        self.convs = nn.Sequential(
            *(
                ConvNormAct(c, d, 3, norm=nn.BatchNorm2d, activation=nn.ReLU)
                for c, d in pairwise(widths)
            )
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.cat((resize_like(x, skip), skip), dim=1)  # (B, C + C', H', W')
        return self.convs(x)  # (B, C', H', W')


class Decoder(nn.Module):
    """One block for each skip, then the logits of each pixel of the image."""

    def __init__(self, steps: Iterable[nn.Module], classifier: nn.Module) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.classifier = classifier

    def forward(self, x: Tensor, image: Tensor, *skips: Tensor) -> Tensor:
        for step, skip in zip(self.steps, skips, strict=True):
            x = step(x, skip)  # (B, C', H', W')
        return self.classifier(x, image)  # (B, K, H', W')
