"""Squeeze and excite: weight each channel by the content of the whole map (Hu et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """x · σ(W₂ δ(W₁ mean(x))): one weight a channel, from the means of all channels (eq. 2-4).

    W₁ squeezes to `squeezed` channels, δ is the `activation`, σ the `gate`, which gives 0 to 1.
    (B, C, H, W) -> (B, C, H, W), for 2·C·squeezed parameters and next to no compute.
    """

    def __init__(
        self, channels: int, squeezed: int, *, activation: type[nn.Module], gate: type[nn.Module]
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.act = activation()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        z = self.pool(x)  # (B, C, 1, 1)
        z = self.act(self.fc1(z))  # (B, S, 1, 1)
        z = self.gate(self.fc2(z))  # (B, C, 1, 1)
        return x * z  # (B, C, H, W)
