"""Attention pooling does what PyTorch's own attention does with one learned query."""

from __future__ import annotations

import torch
from torch import nn

from studio.stages.token_head import AttentionPool


def test_it_is_attention_of_one_learned_query_and_an_mlp() -> None:
    torch.manual_seed(0)
    ours = AttentionPool(embed_dim=16, num_heads=4, hidden_dim=32)
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    parts = [getattr(ours.attn, name) for name in ("q", "k", "v")]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.attn.proj.state_dict())
    x = torch.randn(3, 7, 16)
    read, _ = theirs(ours.query.expand(3, -1, -1), x, x)
    torch.testing.assert_close(ours(x), (read + ours.mlp(ours.norm(read)))[:, 0])
    count = 16 + 4 * (16 * 16 + 16) + 2 * 16 + 2 * 16 * 32 + 32 + 16
    assert sum(p.numel() for p in ours.parameters()) == count
