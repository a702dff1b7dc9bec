"""Heads that answer from tokens other than a class token."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from studio.blocks.norm import LayerNorm
from studio.blocks.stages.flow import Tokens
from studio.blocks.stages.head import Head
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class MeanTokenHead(Head):
    """A norm, the mean over all tokens, and a linear layer. (B, N, D) to logits (B, K)."""

    takes = Tokens

    num_classes: int = knob(1000, "Classes", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(LayerNorm(x.width), Mean(), nn.Linear(x.width, self.num_classes))


class Mean(nn.Module):
    """The mean over the tokens. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)  # (B, D)


@dataclass(frozen=True, kw_only=True)
class LastTokenHead(Head):
    """A linear layer on the last step. (B, N, D) to logits (B, K).

    For one direction: a second that reads from the end has seen a single step there.
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes, or values to forecast", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(Last(), nn.Linear(x.width, self.num_classes))


class Last(nn.Module):
    """The last token alone. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]  # (B, D)


@dataclass(frozen=True, kw_only=True)
class EachTokenHead(Head):
    """A linear layer on every token. (B, N, D) to logits (B, N, K).

    A tag of each word, or what CTC reads, where one class is the blank (Graves et al. 2006).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Linear(x.width, self.num_classes)
