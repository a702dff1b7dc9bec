"""The ConvNeXt block and the downsampling layer (Liu et al. 2022, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from studio.blocks.norm import LayerNorm, LayerNorm2d


class ConvNeXtBlock(nn.Module):
    """A depthwise convolution and an MLP over the channels (Figure 4, right).

    (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        mlp_ratio: float,
        layer_scale: float,
        drop_path: nn.Module,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        hidden = round(channels * mlp_ratio)
        self.gamma = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.dwconv = nn.Conv2d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels
        )
        self.norm = LayerNorm(channels)
        self.pwconv1 = nn.Linear(channels, hidden)
        self.act = activation()
        self.pwconv2 = nn.Linear(hidden, channels)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(x)  # (B, C, H, W)
        y = self.norm(y.permute(0, 2, 3, 1))  # (B, H, W, C)
        y = self.act(self.pwconv1(y))  # (B, H, W, E)
        y = self.pwconv2(y).permute(0, 3, 1, 2)  # (B, C, H, W)
        return x + self.drop_path(self.gamma * y)


class ConvNeXtDownsample(nn.Sequential):
    """Between two stages: (B, C, H, W) -> (B, C', H/stride, W/stride), normalised for stability."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        conv = nn.Conv2d(in_channels, out_channels, stride, stride)
        super().__init__(LayerNorm2d(in_channels), conv)
