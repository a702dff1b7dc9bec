"""Stages that read tokens as time steps, and the one that turns a map into steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from studio.blocks.position import LearnedPosition
from studio.blocks.temporal_block import TemporalBlock
from studio.knobs import knob
from studio.stages.stage import Map, Stage, Tokens
from studio.stages.tokens import TokenStage


@dataclass(frozen=True, kw_only=True)
class Recurrent(TokenStage):
    """Reads the steps one after another and gives its state at each (LSTM or GRU).

    Recurrent layers. (B, T, D) to (B, T, S), where S is `hidden_size`, or twice that if
    bidirectional: both states, concatenated.
    """

    cell: type[nn.LSTM | nn.GRU] = knob(nn.LSTM, "Recurrent layer", options=(nn.LSTM, nn.GRU))
    depth: int = knob(1, "Stacked layers", axis="depth", ge=1, le=8)
    hidden_size: int = knob(
        256, "Size of the state of one direction", axis="width", ge=4, le=2048, step=4
    )
    bidirectional: bool = knob(True, "Also read from the end")

    def flow(self, x: Tokens) -> Tokens:
        directions = 2 if self.bidirectional else 1
        future = x.future or self.bidirectional
        return replace(x, width=directions * self.hidden_size, past=True, future=future)

    def build(self, x: Tokens) -> nn.Module:
        return RNNOutput(
            self.cell(
                x.width,
                self.hidden_size,
                num_layers=self.depth,
                batch_first=True,
                bidirectional=self.bidirectional,
            )
        )


class RNNOutput(nn.Module):
    """The outputs of a recurrent layer at every step, without its last state.

    (B, T, D) -> (B, T, S); S is the state of one direction, or of both, concatenated.
    """

    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.rnn(x)  # (B, T, S)
        return x


@dataclass(frozen=True, kw_only=True)
class TemporalConv(TokenStage):
    """Looks back in time with causal convolutions of growing dilation, as a TCN does.

    Blocks of causal convolutions whose dilation doubles (Bai et al. 2018). (B, T, D) to
    (B, T, width). With n blocks of kernel size k a step sees 1 + 2 (k - 1) (2ⁿ - 1) steps.
    """

    depth: int = knob(4, "Blocks", axis="depth", ge=1, le=12)
    width: int = knob(64, "Channels", axis="width", ge=4, le=2048, step=4)
    kernel_size: int = knob(3, "Kernel size", ge=2, le=16)

    def flow(self, x: Tokens) -> Tokens:
        return replace(x, width=self.width, past=True)

    def build(self, x: Tokens) -> nn.Module:
        widths = (x.width, *[self.width] * self.depth)
        blocks = (
            TemporalBlock(widths[i], widths[i + 1], self.kernel_size, dilation=2**i, dropout=0.0)
            for i in range(self.depth)
        )
        return nn.Sequential(Transpose(), *blocks, Transpose())


class Transpose(nn.Module):
    """Swaps steps and channels: nn.Conv1d has channels first. (B, T, D) -> (B, D, T)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)  # (B, D, T)


@dataclass(frozen=True, kw_only=True)
class Columns(Stage[Map]):
    """Turns the columns of a map into steps, from left to right: to read a line of text.

    (B, C, H, W) to (B, W, C·H): the map-to-sequence layer of Shi et al. 2015,
    https://arxiv.org/abs/1507.05717.
    """

    takes = Map
    reads = "image"

    def flow(self, x: Map) -> Tokens:
        return Tokens(x.width, x.channels * x.height)

    def build(self, x: Map) -> nn.Module:
        return MapToSequence()


class MapToSequence(nn.Module):
    """Each column becomes a step. (B, C, H, W) -> (B, W, C·H)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2).flatten(2)  # (B, W, C*H)


@dataclass(frozen=True, kw_only=True)
class Position(TokenStage):
    """Adds a learned position embedding, so that attention can tell the steps apart.

    (B, N, D) to (B, N, D).
    """

    def flow(self, x: Tokens) -> Tokens:
        return x

    def build(self, x: Tokens) -> nn.Module:
        return LearnedPosition(x.count, x.width)


@dataclass(frozen=True, kw_only=True)
class Project(TokenStage):
    """Maps each token to another width with a linear layer.

    (B, N, D) to (B, N, embed_dim).
    """

    embed_dim: int = knob(256, "Features of a token D", axis="width", ge=4, le=8192, step=4)

    def flow(self, x: Tokens) -> Tokens:
        return replace(x, width=self.embed_dim)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Linear(x.width, self.embed_dim)
