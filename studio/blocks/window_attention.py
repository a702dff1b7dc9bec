"""Attention within parts of a map, so that its cost grows with the pixels and not their square."""

from __future__ import annotations

from torch import Tensor, nn

from studio.blocks.coatnet import RelativeBlock


class WindowBlock(nn.Module):
    """A block of relative attention within each window of M × M neighbouring pixels.

    As in Swin (Liu et al. 2021, section 3.2) and MaxViT (Tu et al. 2022, section 3.2). M divides
    H and W; the n windows are part of the batch meanwhile. (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, num_heads: int, hidden_dim: int, window_size: int) -> None:
        super().__init__()
        M = window_size
        self.window_size = M
        self.block = RelativeBlock(channels, channels, num_heads, hidden_dim, M, M)

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        M = self.window_size
        x = x.reshape(B, C, H // M, M, W // M, M)  # (B, C, H/M, M, W/M, M)
        x = x.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)  # (B*n, C, M, M)
        x = self.block(x).unflatten(0, (B, H // M, W // M))  # (B, H/M, W/M, C, M, M)
        return x.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)  # (B, C, H, W)


class GridBlock(WindowBlock):
    """The same within each grid of M × M pixels, H/M and W/M apart, spread over the whole map.

    (Tu et al. 2022, section 3.3). (B, C, H, W) -> (B, C, H, W).
    """

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        M = self.window_size
        x = x.reshape(B, C, M, H // M, M, W // M)  # (B, C, M, H/M, M, W/M)
        x = x.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)  # (B*n, C, M, M)
        x = self.block(x).unflatten(0, (B, H // M, W // M))  # (B, H/M, W/M, C, M, M)
        return x.permute(0, 3, 4, 1, 5, 2).reshape(B, C, H, W)  # (B, C, H, W)
