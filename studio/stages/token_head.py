"""Heads that answer from tokens other than a class token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.mlp import MLP
from studio.blocks.multihead import MultiHeadAttention
from studio.blocks.norm import LayerNorm
from studio.knobs import knob
from studio.stages.head import Head
from studio.stages.stage import Flow, Tokens


@dataclass(frozen=True, kw_only=True)
class MeanTokenHead(Head):
    """Classifies a sequence from the mean over all its tokens.

    A norm, the mean over all tokens, and a linear layer. (B, N, D) to logits (B, K).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(LayerNorm(x.width), Mean(), nn.Linear(x.width, self.num_classes))


class Mean(nn.Module):
    """The mean over the tokens. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)  # (B, D)


@dataclass(frozen=True, kw_only=True)
class AttentionPoolHead(Head):
    """Classifies a sequence from what a learned query reads of all its tokens.

    A learned query that attends to all tokens, and a linear layer. (B, N, D) to logits (B, K).

    Multi-head attention pooling (Lee et al. 2019, section 3.2; Zhai et al. 2022, section 3.2).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes", ge=1, le=100_000)
    num_heads: int = knob(4, "Attention heads; they divide the width", axis="heads", ge=1, le=64)
    mlp_ratio: float = knob(4.0, "MLP width over the width", ge=0.5, le=8.0, step=0.5)

    def flow(self, x: Flow, *joined: Flow) -> Flow:
        if isinstance(x, Tokens) and x.width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {x.width}"
            )
        return x

    def build(self, x: Tokens) -> nn.Module:
        pool = AttentionPool(x.width, self.num_heads, round(self.mlp_ratio * x.width))
        return nn.Sequential(pool, nn.Linear(x.width, self.num_classes))


class AttentionPool(nn.Module):
    """One learned query reads all tokens, then an MLP adds to what it read.

    (B, N, D) -> (B, D), as the MAP head of https://github.com/google-research/big_vision has it.
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, embed_dim))
        self.attn = MultiHeadAttention(embed_dim, num_heads)
        self.norm = LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, nn.GELU)
        nn.init.xavier_uniform_(self.query)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query.expand(x.shape[0], -1, -1)  # (B, 1, D)
        y = self.attn(query, x)  # (B, 1, D)
        y = y + self.mlp(self.norm(y))  # (B, 1, D)
        return y[:, 0]  # (B, D)


@dataclass(frozen=True, kw_only=True)
class LastTokenHead(Head):
    """Classifies or forecasts from the last step, which has seen those before it.

    A linear layer on the last step. (B, N, D) to logits (B, K).

    For one direction: a second that reads from the end has seen a single step there.
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes, or values to forecast", ge=1, le=100_000)

    def lacks(self, x: Flow) -> str:
        if not isinstance(x, Tokens) or x.past or x.count == 1:
            return ""
        return (
            "LastTokenHead reads only the last step, and no stage passes it the earlier ones:"
            " insert Recurrent or TemporalConv, or use MeanTokenHead"
        )

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(Last(), nn.Linear(x.width, self.num_classes))


class Last(nn.Module):
    """The last token alone. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]  # (B, D)


@dataclass(frozen=True, kw_only=True)
class EachTokenHead(Head):
    """Predicts at every step: a tag for each word, or what CTC decodes.

    A linear layer on every token. (B, N, D) to logits (B, N, K).

    A tag of each word, or what CTC reads, where one class is the blank (Graves et al. 2006).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Linear(x.width, self.num_classes)
