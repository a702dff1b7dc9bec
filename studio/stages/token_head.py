"""Heads for tokens that need no class token."""

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
class MeanTokenHead(Head[Tokens]):
    """Classifies a sequence from the mean over all its tokens.

    A norm, the mean over all tokens, and a linear layer. (B, N, D) to logits (B, K).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(LayerNorm(x.width), MeanPool(), nn.Linear(x.width, self.num_classes))


class MeanPool(nn.Module):
    """The mean over the tokens. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)  # (B, D)


@dataclass(frozen=True, kw_only=True)
class AttentionPoolHead(Head[Tokens]):
    """Classifies a sequence with a learned query that attends to all its tokens.

    Attention pooling and a linear layer. (B, N, D) to logits (B, K).

    Multi-head attention pooling (Lee et al. 2019, section 3.2; Zhai et al. 2022, section 3.2).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)
    num_heads: int = knob(4, "Attention heads h; must divide the width", axis="heads", ge=1, le=64)
    mlp_ratio: float = knob(4.0, "Hidden width of the MLP over the width", ge=0.5, le=8.0, step=0.5)

    def flow(self, x: Tokens) -> Flow:
        if x.width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {x.width}"
            )
        return x

    def build(self, x: Tokens) -> nn.Module:
        pool = AttentionPool(x.width, self.num_heads, round(self.mlp_ratio * x.width))
        return nn.Sequential(pool, nn.Linear(x.width, self.num_classes))


class AttentionPool(nn.Module):
    """One learned query attends to all tokens; an MLP with a residual follows.

    (B, N, D) -> (B, D), as in the MAP head of https://github.com/google-research/big_vision.
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
class LastTokenHead(Head[Tokens]):
    """Classifies or forecasts from the last step, which has seen those before it.

    A linear layer on the last step. (B, N, D) to logits (B, K).

    Not for a bidirectional recurrence: at the last step its backward direction has read one step.
    """

    takes = Tokens

    num_classes: int = knob(1000, "Outputs K: classes, or values to forecast", ge=1, le=100_000)

    def missing_context(self, x: Flow) -> str:
        if not isinstance(x, Tokens) or x.past or x.count == 1:
            return ""
        return (
            "LastTokenHead reads only the last step, and no stage passes it the earlier ones:"
            " insert Recurrent or TemporalConv, or use MeanTokenHead"
        )

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(LastToken(), nn.Linear(x.width, self.num_classes))


class LastToken(nn.Module):
    """The last token. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]  # (B, D)


@dataclass(frozen=True, kw_only=True)
class EachTokenHead(Head[Tokens]):
    """Predicts at every step: a tag for each word, or what CTC decodes.

    A linear layer on every token. (B, N, D) to logits (B, N, K).

    For CTC one of the classes is the blank (Graves et al. 2006).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)

    def build(self, x: Tokens) -> nn.Module:
        return nn.Linear(x.width, self.num_classes)
