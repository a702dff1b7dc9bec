"""The reference model: a small network that every sweep times among its own designs.

It is always the same, so the spread of its time between sweeps shows how far an absolute time on
this machine can be trusted. The code of this file is what is timed; changing it starts a new
history. Two transformer blocks with the width of ViT-Ti/16 (Touvron et al.,
https://arxiv.org/abs/2012.12877, table 1), on 64 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    dim: int = 192
    num_heads: int = 3
    depth: int = 2
    tokens: int = 64


class Model(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        D, H = config.dim, config.num_heads
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(D, H, 4 * D, 0.0, "gelu", batch_first=True)
                for _ in range(config.depth)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(x)  # (B, N, D)
        return y


def example(config: Config, batch: int) -> tuple[Tensor, ...]:
    """Tokens (B, N, D)."""
    return (torch.randn(batch, config.tokens, config.dim),)
