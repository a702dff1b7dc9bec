"""Multi-head attention with separate projections of queries, keys and values."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class MultiHeadAttention(nn.Module):
    """Queries from x, keys and values from the memory: softmax(q kᵀ / √d) v in h heads.

    Without a memory it is self-attention. With `causal`, token t attends only to tokens up to t.
    Another `mask`, broadcast to the h × T × S scores, is true where attention is allowed. (B, T, D)
    and (B, S, D) -> (B, T, D) (Vaswani et al. 2017, section 3.2.2).
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, causal: bool = False
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.causal = causal
        self.q = nn.Linear(embed_dim, embed_dim)
        self.k = nn.Linear(embed_dim, embed_dim)
        self.v = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        source = x if memory is None else memory  # (B, S, D)
        q = self.q(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, T, d)
        k = self.k(source).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, S, d)
        v = self.v(source).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, S, d)
        x = F.scaled_dot_product_attention(  # (B, h, T, d)
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=self.causal,
        )
        x = x.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.proj(x)  # (B, T, D)
