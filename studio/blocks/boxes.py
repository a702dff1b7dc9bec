"""Boxes: corners (x1, y1, x2, y2) in pixels, their overlap, and deltas from one to another.

All functions take boxes in the last dimension, (..., 4). None loops over the boxes except `nms`,
which runs after the network, not inside it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def corners_of(boxes: Tensor) -> Tensor:
    """(centre x, centre y, width, height) -> (x1, y1, x2, y2)."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def decoded(deltas: Tensor, boxes: Tensor, scale: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """Boxes moved by the deltas (dx, dy, dw, dh) of Girshick et al. 2014, appendix C.

    The centre moves by dx widths and dy heights; the sides are scaled by e^dw and e^dh, at most
    62.5-fold. `scale` divides (dx, dy) and (dw, dh), so that a head can predict small deltas as
    larger numbers.
    """
    size = boxes[..., 2:] - boxes[..., :2]
    centre = boxes[..., :2] + size / 2 + deltas[..., :2] / scale[0] * size
    size = size * (deltas[..., 2:] / scale[1]).clamp(max=math.log(1000 / 16)).exp()
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def rows(x: Tensor, index: Tensor) -> Tensor:
    """Select rows of each image by index: (B, N, D) and (B, M) -> (B, M, D)."""
    return x.gather(1, index.unsqueeze(2).expand(-1, -1, x.shape[2]))


def clipped(boxes: Tensor, height: int, width: int) -> Tensor:
    """The boxes, clipped to the image."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    x1, x2 = x1.clamp(0, width), x2.clamp(0, width)
    y1, y2 = y1.clamp(0, height), y2.clamp(0, height)
    return torch.stack((x1, y1, x2, y2), dim=-1)


def area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...)."""
    x1, y1, x2, y2 = boxes.unbind(dim=-1)
    return (x2 - x1) * (y2 - y1)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of a with every one of b: (..., N, 4), (..., M, 4) ->
    (..., N, M)."""
    a, b = a.unsqueeze(-2), b.unsqueeze(-3)
    corner = torch.maximum(a[..., :2], b[..., :2])
    size = (torch.minimum(a[..., 2:], b[..., 2:]) - corner).clamp(min=0)
    shared = size[..., 0] * size[..., 1]
    return shared / (area(a) + area(b) - shared).clamp(min=1e-6)


def duplicates(boxes: Tensor, threshold: float) -> Tensor:
    """Which boxes overlap a better one by more than the threshold: (..., N, 4) -> bool (..., N).

    Boxes come best first. This is suppression in one step, of fixed shape ("Fast NMS", Bolya et
    al. 2019, section 3.3): a box that is itself a duplicate can still suppress another one.
    """
    better = overlap(boxes, boxes).triu(diagonal=1)
    return better.amax(dim=-2) > threshold


def nms(
    boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float, most: int | None = None
) -> Tensor:
    """Non-maximum suppression: the boxes to keep, (N, 4), (N,) and (N,) -> indices, best first.

    The best box is kept, and all boxes of its class that overlap it by more than the threshold are
    dropped; this repeats until no box is left or `most` are found.
    """
    left = scores.argsort(descending=True)
    keep: list[Tensor] = []
    while len(left) and (most is None or len(keep) < most):
        best, left = left[:1], left[1:]
        keep.append(best)
        apart = overlap(boxes[best], boxes[left])[0] <= threshold
        left = left[apart | (labels[left] != labels[best])]
    return torch.cat(keep) if keep else left
