"""Positions for tokens: attention alone treats a sequence as a set (Vaswani et al. 2017, 3.5)."""

from __future__ import annotations

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
