"""Residual units of standardised convolutions and group norm, as in the ResNet of the hybrid ViT.

Kolesnikov et al. 2020 (BiT), https://arxiv.org/abs/1912.11370, section 3.2: the pair does
not depend on the batch. Padding is that of TensorFlow, so that the published weights fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SamePad(nn.Module):
    """Zeros around a map, so that a kernel with this stride gives ⌈H/stride⌉ × ⌈W/stride⌉ pixels.

    If their number is odd, the extra one is on the right and at the bottom. (B, C, H, W) -> padded.
    """

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        top, bottom = self.split(x.shape[2])
        left, right = self.split(x.shape[3])
        return F.pad(x, (left, right, top, bottom))  # (B, C, H', W')

    def split(self, size: int) -> tuple[int, int]:
        """The zeros before and after a row of so many pixels."""
        steps = -(-size // self.stride) - 1
        zeros = max(steps * self.stride + self.kernel_size - size, 0)
        return zeros // 2, zeros - zeros // 2


class StandardisedConv(nn.Conv2d):
    """A convolution whose filters have mean 0 and variance 1 each (Qiao et al. 2019, eq. 2-4).

    (B, C, H, W) -> (B, C', H', W').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        weight = (self.weight - mean) * torch.rsqrt(variance + 1e-8)  # (C', C, k, k)
        return F.conv2d(x, weight, stride=self.stride)  # (B, C', H', W')


class StandardisedUnit(nn.Module):
    """y = ReLU(F(x) + Wx), F a bottleneck of standardised convolutions that ends 4·width wide.

    W is 1 where the shape stays, else a 1 × 1 convolution.
    (B, C, H, W) -> (B, 4·width, H/stride, W/stride).
    """

    def __init__(self, in_channels: int, width: int, stride: int, norm: type[nn.Module]) -> None:
        super().__init__()
        channels = 4 * width
        self.residual = nn.Sequential(
            StandardisedConv(in_channels, width, 1),
            norm(width),
            nn.ReLU(),
            SamePad(3, stride),
            StandardisedConv(width, width, 3, stride),
            norm(width),
            nn.ReLU(),
            StandardisedConv(width, channels, 1),
            norm(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                StandardisedConv(in_channels, channels, 1, stride), norm(channels)
            )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(x) + self.shortcut(x)  # (B, C', H', W')
        return self.relu(x)


class StandardisedStem(nn.Sequential):
    """A standardised 7 × 7 convolution and a max-pooling, each of stride 2.

    Zero padding does not change the maximum after a ReLU. (B, C, H, W) -> (B, C', H/4, W/4).
    """

    def __init__(self, in_channels: int, width: int, norm: type[nn.Module]) -> None:
        super().__init__(
            SamePad(7, 2),
            StandardisedConv(in_channels, width, 7, stride=2),
            norm(width),
            nn.ReLU(),
            SamePad(3, 2),
            nn.MaxPool2d(3, stride=2),
        )
