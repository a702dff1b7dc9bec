"""Stems that leave the input as it is: an image, a clip, a time series."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.knobs import knob
from studio.stages.stage import Flow, Map, Tokens
from studio.stages.stem import Stem


class UnchangedStem(Stem):
    """A stem whose output has the shape of the input."""

    def input_flow(self) -> Flow:
        return self.flow()


@dataclass(frozen=True, kw_only=True)
class ImageStem(UnchangedStem):
    """Takes an image of any height and width as it is.

    (B, C, H, W).
    """

    image_height: int = knob(224, "Input height H", axis="resolution", ge=8, le=1024)
    image_width: int = knob(224, "Input width W", axis="resolution", ge=8, le=1024)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)

    def example(self, batch: int) -> Tensor:
        return torch.randn(batch, self.in_channels, self.image_height, self.image_width)

    def flow(self) -> Map:
        return Map(self.in_channels, self.image_height, self.image_width)

    def build(self) -> nn.Module:
        return nn.Identity()


@dataclass(frozen=True, kw_only=True)
class ClipStem(UnchangedStem):
    """Takes the frames of a video clip; stages for images then run on each frame.

    (B, T, C, H, W) to maps (B·T, C, H, W): the frames lie in the batch from here on.
    """

    frames: int = knob(8, "Frames T of a clip", ge=2, le=64)
    image_size: int = knob(
        112, "Height and width of a frame", axis="resolution", ge=8, le=512, step=8
    )
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)

    def example(self, batch: int) -> Tensor:
        side = self.image_size
        return torch.randn(batch, self.frames, self.in_channels, side, side)

    def flow(self) -> Map:
        return Map(self.in_channels, self.image_size, self.image_size, self.frames)

    def build(self) -> nn.Module:
        return nn.Flatten(0, 1)


@dataclass(frozen=True, kw_only=True)
class SeriesStem(UnchangedStem):
    """Takes a time series as it is: T steps of F features.

    (B, T, F).
    """

    seq_len: int = knob(128, "Time steps T", axis="resolution", ge=1, le=4096)
    input_size: int = knob(8, "Features F of a step", ge=1, le=2048)

    def example(self, batch: int) -> Tensor:
        return torch.randn(batch, self.seq_len, self.input_size)

    def flow(self) -> Tokens:
        return Tokens(self.seq_len, self.input_size)

    def build(self) -> nn.Module:
        return nn.Identity()
