"""The Inception module: branches side by side, concatenated (Szegedy et al. 2015, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct


class InceptionConv(ConvNormAct):
    """A convolution that keeps the size of the map (or halves it), its norm, and a ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool,
        norm: type[nn.Module],
        stride: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=bias,
            norm=norm,
            activation=nn.ReLU,
        )


class InceptionModule(nn.Module):
    """Four branches side by side, concatenated (Figure 2b).

    `widths` is a row of Table 1. (B, C, H, W) -> (B, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        branch_kernel_size: int,
        bias: bool,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        w1, reduce3, w3, reduce5, w5, project = widths
        self.out_channels = w1 + w3 + w5 + project
        self.branch1 = InceptionConv(in_channels, w1, 1, bias, norm)
        self.branch2 = nn.Sequential(
            InceptionConv(in_channels, reduce3, 1, bias, norm),
            InceptionConv(reduce3, w3, 3, bias, norm),
        )
        self.branch3 = nn.Sequential(
            InceptionConv(in_channels, reduce5, 1, bias, norm),
            InceptionConv(reduce5, w5, branch_kernel_size, bias, norm),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            InceptionConv(in_channels, project, 1, bias, norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))
        return torch.cat(branches, dim=1)  # (B, C', H, W)
