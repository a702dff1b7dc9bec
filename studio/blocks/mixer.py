"""The layer of the MLP-Mixer (Tolstikhin et al. 2021, Figure 1 and equation 1)."""

from __future__ import annotations

from torch import Tensor, nn

from studio.blocks.mlp import MLP
from studio.blocks.norm import LayerNorm


class MixerLayer(nn.Module):
    """An MLP across the N tokens, one channel at a time, then one across the D channels.

    `token_dim` and `channel_dim` are the hidden widths, D_S and D_C in the paper.
    (B, N, D) -> (B, N, D).
    """

    def __init__(self, num_tokens: int, embed_dim: int, token_dim: int, channel_dim: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(embed_dim)
        self.token_mixing = MLP(num_tokens, token_dim, nn.GELU)
        self.norm2 = LayerNorm(embed_dim)
        self.channel_mixing = MLP(embed_dim, channel_dim, nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x).transpose(1, 2)  # (B, D, N)
        x = x + self.token_mixing(y).transpose(1, 2)  # (B, N, D)
        return x + self.channel_mixing(self.norm2(x))  # (B, N, D)
