"""The unit that almost every convolutional network is made of: convolve, normalise, activate."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """Convolution, normalisation, activation. `norm=nn.Identity` leaves the middle one out.

    (B, C, H, W) -> (B, C', H', W'); the same H and W with the padding that fits the kernel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        padding: int,
        bias: bool,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=bias)
        self.norm = norm(out_channels)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # (B, C', H', W')
        return self.act(self.norm(x))
