"""Normalisation layers built from the number of channels only, so that they are interchangeable."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the last dimension (Ba et al. 2016), with the ε = 1e-6 of ViT's
    code."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__(embed_dim, eps=1e-6)


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of each pixel: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x.permute(0, 2, 3, 1))  # (B, H, W, C)
        return x.permute(0, 3, 1, 2)  # (B, C, H, W)


class RMSNorm(nn.Module):
    """x / RMS(x) · g: layer norm without the mean and the bias (Zhang & Sennrich 2019, eq. 4)."""

    def __init__(self, embed_dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(embed_dim))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.square().mean(dim=-1, keepdim=True)  # (B, N, 1)
        return x * torch.rsqrt(mean + self.eps) * self.weight  # (B, N, D)


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018): 32 groups of channels, whatever the size of the batch.

    If 32 does not divide the channels: the largest number that does, with at least two channels
    per group, since one channel per group would be instance normalisation.
    """

    def __init__(self, channels: int) -> None:
        most = min(32, (channels + 1) // 2)
        super().__init__(max(n for n in range(1, most + 1) if channels % n == 0), channels)


class FrozenBatchNorm(nn.Module):
    """Batch normalisation with statistics, gain and bias fixed as they were pre-trained.

    Detectors use it, since a batch of two large images is too small to estimate a mean. All four
    are buffers, so there is nothing to train and nothing to count. (B, C, H, W) -> (B, C, H, W).
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class SlowBatchNorm(nn.BatchNorm2d):
    """Batch normalisation as Google's mobile networks set it: running statistics with
    momentum 0.01, and ε = 1e-3, which bounds the gain of channels with little variance."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01)
