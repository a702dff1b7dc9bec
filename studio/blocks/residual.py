"""The residual unit y = ReLU(F(x) + x) and its two functions F (He et al. 2016, Figure 5)."""

from __future__ import annotations

from torch import Tensor, nn


class ResidualFunction(nn.Module):
    """F of y = ReLU(F(x) + x): (B, C, H, W) -> (B, expansion·width, H/stride, W/stride).

    With a `dilation` d the 3 × 3 kernels read every d-th pixel.
    """

    expansion: int


class BasicBlock(ResidualFunction):
    """F of two 3 × 3 convolutions (Figure 5, left)."""

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.norm1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = norm(width)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))  # (B, w, H', W')
        return self.norm2(self.conv2(x))


class Bottleneck(ResidualFunction):
    """F of 1 × 1, 3 × 3 and 1 × 1 convolutions, the last four times as wide (Figure 5, right)."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm1 = norm(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.norm2 = norm(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm3 = norm(4 * width)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))  # (B, w, H, W)
        x = self.relu(self.norm2(self.conv2(x)))  # (B, w, H', W')
        return self.norm3(self.conv3(x))  # (B, 4*w, H', W')


class ResidualUnit(nn.Module):
    """y = ReLU(F(x) + Wx) with W = 1 where the shape stays, else a 1 × 1 convolution (option B)."""

    def __init__(
        self,
        block: type[ResidualFunction],
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
        dilation: int = 1,
    ) -> None:
        super().__init__()
        channels = block.expansion * width
        self.residual = block(in_channels, width, stride, norm, dilation)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_channels != channels:
            self.downsample = self.fit(in_channels, channels, stride, norm)
        self.relu = nn.ReLU()

    def fit(
        self, in_channels: int, channels: int, stride: int, norm: type[nn.Module]
    ) -> nn.Sequential:
        """The projection of x to the shape of F(x)."""
        projection = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
        return nn.Sequential(projection, norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(x) + self.downsample(x)  # (B, C', H', W')
        return self.relu(x)


class PaddedResidualUnit(ResidualUnit):
    """y = ReLU(F(x) + x), x sub-sampled and padded with zero channels to fit (option A).

    If F(x) has fewer channels than x, the middle channels of x are added.
    """

    def fit(
        self, in_channels: int, channels: int, stride: int, norm: type[nn.Module]
    ) -> nn.Sequential:
        extra = channels - in_channels
        sample = nn.AvgPool2d(1, stride)  # keeps one pixel of every stride × stride
        pad = nn.ZeroPad3d((0, 0, 0, 0, extra // 2, extra - extra // 2))  # on W, H, and then C
        return nn.Sequential(sample, pad)


class PlainUnit(nn.Module):
    """y = ReLU(F(x)): no shortcut, the plain network that the paper compares with (Figure 3)."""

    def __init__(
        self,
        block: type[ResidualFunction],
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        self.residual = block(in_channels, width, stride, norm)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual(x)  # (B, C', H', W')
        return self.relu(x)
