"""Stochastic depth: train a shallow network of random depth, run the whole one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, drop the residual branch of a block for a fraction `rate` of the samples.

    What stays is divided by 1 - rate, so that its mean is that of evaluation, where nothing is
    left out (Huang et al. 2016, https://arxiv.org/abs/1603.09382). (B, ...) -> (B, ...).
    """

    rate: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        # A buffer: blocks that differ in their rate alone are equal in structure, and fold.
        self.register_buffer("rate", torch.tensor(rate), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1 - self.rate
        mask = torch.rand(x.shape[0], *(1,) * (x.dim() - 1), device=x.device) < keep
        return x * (mask / keep)


def drop_paths(rate: float, depth: int) -> list[nn.Module]:
    """One for each of `depth` blocks, the rates rising linearly from 0 to `rate` (section 3)."""
    if rate == 0:
        return [nn.Identity() for _ in range(depth)]
    return [DropPath(rate * i / max(depth - 1, 1)) for i in range(depth)]
