"""The pre-norm transformer encoder block; ViT and later encoders are stacks of it."""

from __future__ import annotations

from torch import Tensor, nn

from studio.blocks.attention import SelfAttention
from studio.blocks.mlp import MLP


class EncoderBlock(nn.Module):
    """Attention mixes the tokens, the MLP transforms each one; both have a residual.

    z' = MSA(LN(z)) + z, then z = MLP(LN(z')) + z' (Dosovitskiy et al. 2021, eq. 2-3).
    (B, N, D) -> (B, N, D).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        norm: type[nn.Module],
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm1 = norm(embed_dim)
        self.attn = SelfAttention(embed_dim, num_heads)
        self.norm2 = norm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, activation, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attn(self.norm1(x)))  # (B, N, D)
        return x + self.mlp(self.norm2(x))  # (B, N, D)
