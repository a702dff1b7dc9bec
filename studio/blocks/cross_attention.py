"""A block that lets tokens read a second sequence (Alayrac et al. 2022, Figure 4, ungated)."""

from __future__ import annotations

from torch import Tensor, nn

from studio.blocks.mlp import MLP
from studio.blocks.multihead import MultiHeadAttention
from studio.blocks.norm import LayerNorm


class CrossAttentionBlock(nn.Module):
    """Pre-norm cross-attention to the memory, then an MLP, each with a residual.

    (B, N, D) and the memory (B, M, D) -> (B, N, D).
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(embed_dim)
        self.cross_attn = MultiHeadAttention(embed_dim, num_heads)
        self.norm2 = LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, nn.GELU)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = x + self.cross_attn(self.norm1(x), memory)  # (B, N, D)
        return x + self.mlp(self.norm2(x))  # (B, N, D)


class CrossAttentionStack(nn.Module):
    """Projects the memory to the width of the tokens; each block then reads it.

    (B, N, D) and the memory (B, M, D') -> (B, N, D).
    """

    def __init__(
        self, embed_dim: int, memory_dim: int, depth: int, num_heads: int, hidden_dim: int
    ) -> None:
        super().__init__()
        self.project = nn.Linear(memory_dim, embed_dim)
        self.blocks = nn.ModuleList(
            CrossAttentionBlock(embed_dim, num_heads, hidden_dim) for _ in range(depth)
        )

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        memory = self.project(memory)  # (B, M, D)
        for block in self.blocks:
            x = block(x, memory)  # (B, N, D)
        return x
