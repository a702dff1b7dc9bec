"""The inverted residual: wide inside, narrow outside (Sandler et al. 2018, section 3.3)."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.squeeze_excite import SqueezeExcite


class InvertedResidual(nn.Module):
    """Expand by 1 × 1, filter each channel, project back; add the input where the shape stays.

    A residual bottleneck has its shortcut between wide ends and is narrow inside; here it is the
    reverse. The projection has no activation (a *linear bottleneck*: a ReLU on few channels would
    lose information). `squeeze` acts on the hidden channels, `drop_path` on the residual branch.
    (B, C, H, W) -> (B, C', H/stride, W/stride), through `hidden_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        *,
        squeeze: nn.Module,
        drop_path: nn.Module,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        E, conv = hidden_channels, partial(ConvNormAct, norm=norm, activation=activation)
        self.expand = nn.Identity() if in_channels == E else conv(in_channels, E, 1)
        self.depthwise = conv(E, E, kernel_size, stride=stride, groups=E)
        self.squeeze = squeeze
        self.project = conv(E, out_channels, 1, activation=nn.Identity)
        self.drop_path = drop_path
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # (B, E, H, W)
        y = self.squeeze(self.depthwise(y))  # (B, E, H', W')
        y = self.project(y)  # (B, C', H', W')
        return x + self.drop_path(y) if self.residual else y


class MBConvBlock(InvertedResidual):
    """An inverted residual with squeeze and excitation to a quarter of its input channels.

    (B, C, H, W) -> (B, C', H/stride, W/stride), through `expand_ratio` times C.
    """

    def __init__(
        self,
        in_channels: int,
        expand_ratio: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        drop_path: nn.Module,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        hidden, squeezed = expand_ratio * in_channels, max(1, in_channels // 4)
        super().__init__(
            in_channels,
            hidden,
            out_channels,
            kernel_size,
            stride,
            squeeze=SqueezeExcite(hidden, squeezed, activation=activation, gate=nn.Sigmoid),
            drop_path=drop_path,
            norm=norm,
            activation=activation,
        )


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, at least one, and never more than 10 % below the value.

    The official code of MobileNet and EfficientNet rounds scaled widths like this.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor
