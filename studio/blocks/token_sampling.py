"""Autoregressive sampling: draw a token from the logits, append it, and run the model again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


@torch.no_grad()
def sample_tokens(
    model: Callable[[Tensor], Tensor],
    tokens: Tensor,
    steps: int,
    context: int,
    temperature: float,
    top_k: int,
    end: int | None = None,
) -> Tensor:
    """Continue token sequences (B, N) by `steps` tokens: (B, N + steps).

    The model gives the logits (B, n, V) of what follows each of n tokens. Each
    step runs it on the last `context` tokens (a cache of keys and values would save most of that
    work without changing the result). Logits are divided by `temperature` > 0; below 1 the
    distribution gets sharper. Only the `top_k` likeliest tokens are drawn from; 1 always
    takes the likeliest. With an `end` it stops as soon as every sequence has drawn it.
    """
    start = tokens.shape[1]
    for _ in range(steps):
        logits = model(tokens[:, -context:])[:, -1] / temperature
        top = logits.topk(min(top_k, logits.shape[-1]))
        drawn = torch.multinomial(top.values.softmax(dim=-1), num_samples=1)
        tokens = torch.cat((tokens, top.indices.gather(1, drawn)), dim=1)
        if end is not None and (tokens[:, start:] == end).any(dim=1).all():
            break
    return tokens
