"""Positions for tokens: attention alone treats a sequence as a set (Vaswani et al. 2017, 3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


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
    """Add a learned vector for each place, as BERT and GPT do; it knows no place it never saw.

    (B, N, D) -> (B, N, D), N up to `seq_len`.
    """

    def __init__(self, seq_len: int, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(seq_len, embed_dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[: x.shape[1]]


class RotaryPosition(nn.Module):
    """The turns by which rotary embeddings tell places (Su et al. 2021, equation 34).

    Token n turns pair i of a head's features by the angle n · θ^(-2i/d). A query and a key meet at
    the difference of their angles: attention sees how far apart two tokens stand, not where.
    A `factor` above 1 is for contexts beyond 8192 tokens (Llama 3.1): turns that take longer than
    that become slower by the factor, those that take less than a quarter of it stay as they are.

    No parameters, and no table of places. (B, N, D) -> the cosines and the sines, each (N, d).
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
    """Turn each head's features (B, h, N, d); feature i is paired with feature i + d/2.

    The paper pairs neighbours, and so do Meta's own weights; the pairing here is that of the
    weights in the format of transformers, and the two differ by a permutation of the features.
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
