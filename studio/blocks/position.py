"""Positions for tokens: attention alone treats a sequence as a set (Vaswani et al. 2017, 3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SinusoidalPosition(nn.Module):
    """Add sin(n / 10000^(2i/D)) to feature 2i of token n, and the cosine to feature 2i + 1.

    Every offset is a fixed rotation of the features, so a model can learn to look k tokens back.
    No parameters; `embed_dim` is even. (B, N, D) -> (B, N, D), N up to `seq_len`.
    """

    table: Tensor

    def __init__(self, seq_len: int, embed_dim: int) -> None:
        super().__init__()
        frequency = 10000.0 ** (-torch.arange(0, embed_dim, 2) / embed_dim)
        angle = torch.arange(seq_len).unsqueeze(1) * frequency
        table = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)
        # A constant: it moves to the device with the model, but no checkpoint needs it.
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


class LearnedPosition(nn.Module):
    """Add a learned vector for each position, as BERT and GPT do.

    (B, N, D) -> (B, N, D), N up to `seq_len`.
    """

    def __init__(self, seq_len: int, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seq_len, embed_dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[: x.shape[1]]


class RotaryPosition(nn.Module):
    """The rotations of rotary position embeddings (Su et al. 2021, equation 34).

    Token n turns pair i of a head's features by the angle n · θ^(-2i/d). The score of a
    query and a key depends on the difference of their angles: on the distance between two tokens,
    not on their positions.
    A `factor` above 1 is for contexts beyond 8192 tokens (Llama 3.1): frequencies with a period
    above 8192 tokens are divided by it, those with a period below a quarter of that are unchanged,
    and those between are interpolated.

    No parameters, and no table of positions. (B, N, D) -> the cosines and the sines, each (N, d).
    """

    speed: Tensor

    def __init__(self, head_dim: int, theta: float, factor: float = 1.0) -> None:
        super().__init__()
        speed = 1.0 / theta ** (torch.arange(0, head_dim, 2) / head_dim)
        turns = 8192 * speed / (2 * math.pi)
        fast = ((turns - 1) / 3).clamp(0.0, 1.0)
        speed = speed * (fast + (1.0 - fast) / factor)
        # A constant: it moves to the device with the model, but no checkpoint needs it.
        self.register_buffer("speed", speed, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * self.speed  # (N, d/2)
        angle = torch.cat((angle, angle), dim=1)  # (N, d)
        return angle.cos().to(x.dtype), angle.sin().to(x.dtype)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each head's features (B, h, N, d); feature i is paired with feature i + d/2.

    The paper pairs neighbours, and so do Meta's own weights; the pairing here is that of the
    weights in the format of transformers, and the two differ by a permutation of the features.
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def bucket(offset: Tensor, num_buckets: int, causal: bool, max_distance: int = 128) -> Tensor:
    """T5's bucket of each offset j − i, from 0 to num_buckets − 1; keeps the shape.

    A causal stack only looks back; otherwise half of the buckets are for later keys. Half of the
    buckets of a direction hold one distance each, the others grow logarithmically up to
    `max_distance`.
    """
    ahead = torch.zeros_like(offset)
    distance = (-offset).clamp(min=0)
    if not causal:
        num_buckets //= 2
        ahead = (offset > 0).long() * num_buckets
        distance = offset.abs()
    exact = num_buckets // 2
    growth = torch.log(distance.clamp(min=1) / exact) / math.log(max_distance / exact)
    shared = exact + (growth * (num_buckets - exact)).long()
    return ahead + torch.where(distance < exact, distance, shared.clamp(max=num_buckets - 1))


class RelativePosition(nn.Module):
    """The bias of each head on the scores of T tokens: (1, h, T, T), T up to max_len.

    If causal, −∞ is added where the key comes after the query.
    """

    buckets: Tensor
    causal_mask: Tensor | None

    def __init__(
        self, num_buckets: int, num_heads: int, max_len: int, causal: bool, std: float
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_buckets, num_heads) * std)
        place = torch.arange(max_len)
        buckets = bucket(place - place.unsqueeze(1), num_buckets, causal)  # of query i, key j
        mask = torch.full((max_len, max_len), -math.inf).triu(1) if causal else None
        # Constants: they move to the device with the model, but no checkpoint needs them.
        self.register_buffer("buckets", buckets, persistent=False)
        self.register_buffer("causal_mask", mask, persistent=False)

    def forward(self, length: int) -> Tensor:
        bias = F.embedding(self.buckets[:length, :length], self.weight)  # (T, T, h)
        bias = bias.permute(2, 0, 1).unsqueeze(0)  # (1, h, T, T)
        mask = self.causal_mask  # (M, M)
        return bias if mask is None else bias + mask[:length, :length]
