"""A feature pyramid, and the anchors on its levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeaturePyramid(nn.Module):
    """FPN: every level has its own resolution and the features of coarser ones (Lin et al. 2017).

    A 1 × 1 convolution brings each map C_i to D channels, the next coarser level is upsampled
    twofold and added, and a 3 × 3 convolution smooths the sum; P6 is every other pixel of P5. C2
    ... C5, (B, c, h, w) each -> P2 ... P6, (B, D, h, w) each.
    """

    def __init__(self, in_channels: Sequence[int], channels: int, norm: type[nn.Module]) -> None:
        super().__init__()
        bias = norm is nn.Identity  # a norm has its own
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, channels, 1, bias=bias), norm(channels)) for c in in_channels
        )
        self.smooth = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=bias), norm(channels))
            for _ in in_channels
        )
        self.extra = nn.MaxPool2d(1, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        sums = [lateral(c) for lateral, c in zip(self.lateral, maps, strict=True)]
        for i in reversed(range(len(sums) - 1)):
            above = F.interpolate(sums[i + 1], size=sums[i].shape[2:])  # (B, D, h, w)
            sums[i] = sums[i] + above
        levels = [smooth(x) for smooth, x in zip(self.smooth, sums, strict=True)]
        return [*levels, self.extra(levels[-1])]


class Anchors(nn.Module):
    """Three boxes of about `size`² pixels around each pixel of a level of a height × width image.

    Twice as wide as high, square, and twice as high as wide, each side rounded to whole pixels
    (Ren et al. 2015, section 3.1.1). (B, D, h, w) -> (3·h·w, 4), pixel by pixel.
    """

    shapes: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        sides = [(round(size / r**0.5 / 2), round(size * r**0.5 / 2)) for r in (0.5, 1.0, 2.0)]
        shapes = torch.tensor([(-x, -y, x, y) for x, y in sides], dtype=torch.float32)
        self.register_buffer("shapes", shapes, persistent=False)

    def forward(self, level: Tensor, height: int, width: int) -> Tensor:
        h, w = level.shape[2:]
        ones = torch.ones_like(level[0, 0])  # (h, w)
        x = (ones.cumsum(dim=1) - 1) * (width // w)  # (h, w)
        y = (ones.cumsum(dim=0) - 1) * (height // h)  # (h, w)
        boxes = torch.stack((x, y, x, y), dim=2).unsqueeze(2) + self.shapes  # (h, w, 3, 4)
        return boxes.flatten(0, 2)  # (3*h*w, 4)
