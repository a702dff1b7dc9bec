"""The unit of almost every convolutional network: convolution, normalisation, activation."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """Convolution, normalisation, activation. `norm=nn.Identity` omits the norm.

    (B, C, H, W) -> (B, C', H', W'). By default an odd kernel is padded so that stride 1 keeps H
    and W. With one group per channel it is a depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        bias: bool = False,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        padding = kernel_size // 2 if padding is None else padding
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias
        )
        self.norm = norm(out_channels)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # (B, C', H', W')
        return self.act(self.norm(x))


class ConvChain(nn.Sequential):
    """Convolutions in a row, each with its norm and activation; the first one has the stride.

    (B, C, H, W) -> (B, width, H/stride, W/stride).
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        depth: int,
        kernel_size: int,
        stride: int,
        *,
        bias: bool = False,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        widths = (in_channels, *[width] * depth)
        super().__init__(
            *(
                ConvNormAct(
                    widths[i],
                    widths[i + 1],
                    kernel_size,
                    stride=stride if i == 0 else 1,
                    bias=bias,
                    norm=norm,
                    activation=activation,
                )
                for i in range(depth)
            )
        )
