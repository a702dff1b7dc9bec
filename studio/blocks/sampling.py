"""From a model of the next token to a text: draw a token, append it, ask again."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def sample_tokens(
    model: nn.Module, tokens: Tensor, steps: int, context: int, temperature: float, top_k: int
) -> Tensor:
    """Continue token sequences (B, N) by `steps` tokens: (B, N + steps).

    The model sees the last `context` tokens, all of them anew at every step (keeping the keys and
    values of earlier steps would save that work, and change nothing else). Logits are divided by
    `temperature`, which is above 0: below 1 the likely becomes likelier. Only the `top_k` likeliest
    tokens are drawn from; 1 always takes the likeliest.
    """
    for _ in range(steps):
        logits = model(tokens[:, -context:])[:, -1] / temperature
        top = logits.topk(min(top_k, logits.shape[-1]))
        drawn = torch.multinomial(top.values.softmax(dim=-1), num_samples=1)
        tokens = torch.cat((tokens, top.indices.gather(1, drawn)), dim=1)
    return tokens
