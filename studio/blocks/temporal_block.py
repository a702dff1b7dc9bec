"""The block of a temporal convolutional network (Bai et al. 2018, Figure 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CausalConv(nn.Module):
    """A causal convolution whose kernels are a gain times a direction (weight norm).

    `weight_g` is one gain per output channel, `weight_v` the directions; at the start their
    product is an ordinary kernel. (B, C, T) -> (B, C', T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.padding = (kernel_size - 1) * dilation
        bound = (in_channels * kernel_size) ** -0.5  # as nn.Conv1d draws
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        v = torch.empty(out_channels, in_channels, kernel_size).uniform_(-bound, bound)
        self.weight_g = nn.Parameter(torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True))
        self.weight_v = nn.Parameter(v)

    def forward(self, x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2), keepdim=True)  # (C', 1, 1)
        weight = self.weight_g * self.weight_v / norm  # (C', C, k)
        y = F.conv1d(  # (B, C', T + p)
            x, weight, self.bias, padding=self.padding, dilation=self.dilation
        )
        return y[:, :, : x.shape[2]].contiguous()  # (B, C', T)


class TemporalBlock(nn.Module):
    """ReLU(x + two causal convolutions of x) (Figure 1b); a 1 × 1 convolution where C changes.

    (B, C, T) -> (B, C', T).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.conv1 = CausalConv(in_channels, out_channels, kernel_size, dilation)
        self.conv2 = CausalConv(out_channels, out_channels, kernel_size, dilation)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        alike = in_channels == out_channels
        self.downsample = nn.Identity() if alike else nn.Conv1d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.dropout(self.relu(self.conv1(x)))  # (B, C', T)
        y = self.dropout(self.relu(self.conv2(y)))
        return self.relu(y + self.downsample(x))  # (B, C', T)
