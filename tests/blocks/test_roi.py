"""RoIAlign reads a pyramid at exact places."""

from __future__ import annotations

import torch
from torch import Tensor

from studio.blocks.roi import RoIAlign, level_of

H, W = 128, 192


def ramps(slope: tuple[float, float]) -> list[Tensor]:
    """Levels whose value at every pixel is a linear function of its place in the image."""
    levels = []
    for stride in (4, 8, 16, 32):
        y = torch.arange(H // stride).unsqueeze(1) * stride * slope[0]
        x = torch.arange(W // stride) * stride * slope[1]
        levels.append((x + y).expand(2, 5, -1, -1))
    return levels


def test_a_bin_of_a_ramp_is_the_ramp_at_its_middle() -> None:
    boxes = torch.tensor([[(8, 16, 50, 72), (30, 10, 37, 80)], [(3, 5, 20, 22), (0, 0, 92, 88.0)]])
    found = RoIAlign(7)(ramps((1.0, 100.0)), boxes).view(2, 2, 5, 7, 7)
    middle = (torch.arange(7) + 0.5) / 7
    x1, y1, x2, y2 = boxes[..., None].unbind(dim=2)
    x, y = x1 + (x2 - x1) * middle, y1 + (y2 - y1) * middle
    expected = y[:, :, :, None] + 100 * x[:, :, None, :]
    assert torch.allclose(found, expected[:, :, None].expand(found.shape), rtol=1e-4)


def test_large_boxes_are_cut_out_of_coarse_levels() -> None:
    sides = torch.tensor([10.0, 111, 113, 223, 225, 447, 449, 2000])
    boxes = torch.stack((torch.zeros(8), torch.zeros(8), sides, sides), dim=1).unsqueeze(0)
    assert level_of(boxes, 4).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]


def test_each_image_of_a_batch_is_read_for_itself() -> None:
    levels = [torch.full((2, 3, H // s, W // s), 1.0) for s in (4, 8, 16, 32)]
    levels = [p * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1) for p in levels]
    boxes = torch.tensor([10.0, 10, 60, 60]).expand(2, 4, 4)
    found = RoIAlign(2)(levels, boxes).reshape(2, -1)
    assert torch.allclose(found, torch.tensor([[1.0], [2.0]]).expand_as(found))


def test_beyond_the_map_there_is_nothing() -> None:
    outside = torch.tensor([[[300.0, 300, 340, 340]]])
    assert RoIAlign(3)([p[:1] + 1 for p in ramps((1.0, 1.0))], outside).abs().max() == 0


def test_gradients_reach_the_levels_that_are_read() -> None:
    levels = [p.clone().requires_grad_() for p in ramps((1.0, 1.0))]
    boxes = torch.tensor([8.0, 8, 40, 40]).expand(2, 1, 4)
    RoIAlign(7)(levels, boxes).sum().backward()
    reached = [bool(p.grad is not None and p.grad.abs().sum() > 0) for p in levels]
    assert reached == [True, False, False, False]


def test_a_pyramid_of_bfloat16_is_read_in_bfloat16() -> None:
    boxes = torch.tensor([8.0, 8, 40, 40]).expand(2, 1, 4)
    exact = RoIAlign(7)(ramps((0.01, 0.01)), boxes)
    found = RoIAlign(7)([p.bfloat16() for p in ramps((0.01, 0.01))], boxes)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), exact, atol=0.01)
