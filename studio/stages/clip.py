"""Stages for clips: recurrence over the frames, and what reduces a clip to a map or to tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from studio.blocks.conv_lstm import ConvLSTMLayer
from studio.knobs import knob
from studio.stages.stage import Flow, Map, Stage, Tokens


class ClipStage(Stage[Map]):
    """A stage that reads all frames of a clip together."""

    takes = Map
    reads = "clip"


@dataclass(frozen=True, kw_only=True)
class ConvLSTM(ClipStage):
    """Follows a clip over time with an LSTM of convolutions; gives a map for each frame.

    (B·T, C, H, W) to (B·T, width, H, W).

    LSTMs with convolutions in place of matrix products (Shi et al. 2015, equation 3,
    https://arxiv.org/abs/1506.04214).
    """

    depth: int = knob(1, "Stacked layers", axis="depth", ge=1, le=8)
    width: int = knob(64, "Channels of the state", axis="width", ge=4, le=1024, step=4)
    kernel_size: int = knob(3, "Kernel size", ge=1, le=11)

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")

    def flow(self, x: Map) -> Map:
        return replace(x, channels=self.width, past=True)

    def build(self, x: Map) -> nn.Module:
        widths = (x.channels, *[self.width] * self.depth)
        size = (x.height, x.width)
        return nn.Sequential(
            *(
                ConvLSTMLayer(widths[i], widths[i + 1], self.kernel_size, size, x.frames)
                for i in range(self.depth)
            )
        )


@dataclass(frozen=True, kw_only=True)
class LastFrame(ClipStage):
    """Keeps the map of the last frame, which after ConvLSTM depends on all frames.

    (B·T, C, H, W) to (B, C, H, W).
    """

    def flow(self, x: Map) -> Map:
        return replace(x, frames=1, past=False)

    def missing_context(self, x: Flow) -> str:
        if isinstance(x, Map) and x.past:
            return ""
        return (
            "LastFrame keeps only the last frame, and no stage passes it the earlier ones:"
            " insert ConvLSTM before it"
        )

    def build(self, x: Map) -> nn.Module:
        return SelectLastFrame(x.frames)


class SelectLastFrame(nn.Module):
    """The map of the last frame. (B·T, C, H, W) -> (B, C, H, W)."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        return x[self.frames - 1 :: self.frames]  # (B, C, H, W)


@dataclass(frozen=True, kw_only=True)
class FrameTokens(ClipStage):
    """Turns each frame of a clip into a token, the mean over its pixels.

    (B·T, C, H, W) to (B, T, C).
    """

    def flow(self, x: Map) -> Tokens:
        return Tokens(x.frames, x.channels, past=x.past)

    def build(self, x: Map) -> nn.Module:
        return FramePool(x.frames)


class FramePool(nn.Module):
    """The mean over the pixels of each frame. (B·T, C, H, W) -> (B, T, C)."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(dim=(2, 3))  # (B·T, C)
        return x.reshape(-1, self.frames, x.shape[1])  # (B, T, C)
