"""RoIAlign: the part of a pyramid inside a box, as a small map of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RoIAlign(nn.Module):
    """Crop each box from the pyramid as S × S bins, by interpolation (He et al. 2017, section 3).

    Large boxes are cropped from coarse levels (Lin et al. 2017, equation 1). A bin is the mean of
    2 × 2 samples, and a sample the bilinear mix of four pixels, so a bin is a weighted sum of
    sixteen rows in a table of all pixels of all levels: the sum that `embedding_bag` makes.
    P2 ... P5, (B, D, h, w) each, and boxes (B, R, 4) in pixels of the image -> (B·R, D, S, S).
    """

    sample: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        # Where the samples of a side are, in bins: a quarter and three quarters into each.
        self.register_buffer("sample", (torch.arange(2 * size) + 0.5) / 2, persistent=False)

    def forward(self, levels: Sequence[Tensor], boxes: Tensor) -> Tensor:
        B, R, S = *boxes.shape[:2], self.size
        table = torch.cat([p.flatten(2) for p in levels], dim=2)  # (B, D, P)
        D, P = table.shape[1:]
        table = table.transpose(1, 2).reshape(B * P, D)  # (B*P, D)

        level = level_of(boxes, len(levels))  # (B, R)
        sizes = [tuple(p.shape[2:]) for p in levels]
        starts = accumulate((h * w for h, w in sizes[:-1]), initial=0)
        extents = [(start, *size) for start, size in zip(starts, sizes, strict=True)]
        extent = torch.tensor(extents, device=boxes.device)[level]  # (B, R, 3)
        first, height, width = extent.unbind(dim=2)  # 3 × (B, R)
        first = first + P * (torch.ones_like(level[:, :1]).cumsum(dim=0) - 1)  # (B, R)
        x1, y1, x2, y2 = (boxes / (4.0 * 2.0**level).unsqueeze(2)).unbind(dim=2)  # 4 × (B, R)
        y, y_weight = self.taps(y1, y2, height)  # 2 × (B, R, S, 4)
        x, x_weight = self.taps(x1, x2, width)  # 2 × (B, R, S, 4)
        row = first[..., None, None] + y * width[..., None, None]  # (B, R, S, 4)
        index = row[:, :, :, None, :, None] + x[:, :, None, :, None, :]  # (B, R, S, S, 4, 4)
        weight = y_weight[..., None, :, None] * x_weight[:, :, None, :, None]  # (B, R, S, S, 4, 4)
        bins = F.embedding_bag(  # (B*R*S*S, D)
            index.view(-1, 16),
            table,
            mode="sum",
            per_sample_weights=weight.view(-1, 16).to(table.dtype),
        )
        return bins.view(B * R, S * S, D).transpose(1, 2).reshape(B * R, D, S, S)  # (B*R, D, S, S)

    def taps(self, start: Tensor, end: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Along one side: the four pixels that each bin reads, and their weights.

        Two samples a bin, each between two pixels of a map of `size`; a sample outside the map
        has weight 0. (B, R) each -> pixels and weights, (B, R, S, 4) each.
        """
        bin_size = (end - start).clamp(min=1).unsqueeze(2) / self.size
        at = start.unsqueeze(2) + bin_size * self.sample  # (B, R, 2*S)
        last = (size.unsqueeze(2) - 1).to(at.dtype)
        inside = (at >= -1) & (at <= last + 1)
        at = torch.minimum(at.clamp(min=0), last)
        low = at.floor()
        part = at - low
        weight = torch.stack((1 - part, part), dim=3) * inside.unsqueeze(3) / 2
        pixel = torch.stack((low, torch.minimum(low + 1, last)), dim=3).long()
        shape = (*start.shape, self.size, 4)
        return pixel.view(shape), weight.view(shape)


def level_of(boxes: Tensor, levels: int) -> Tensor:
    """The level for each box, from 0: a box of 224 pixels a side is cropped from the third, P4.

    (B, R, 4) -> (B, R).
    """
    size = (boxes[..., 2:] - boxes[..., :2]).prod(dim=2).sqrt()
    return (2 + torch.log2(size / 224) + 1e-6).floor().clamp(0, levels - 1).long()
