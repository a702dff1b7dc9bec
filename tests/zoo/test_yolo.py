"""What YOLO's maps mean: a distance and a class become a box in pixels; duplicates go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from studio.zoo.yolo import STRIDES, YOLO, YOLOConfig

SURE = 20.0  # a logit that leaves nothing to the other bins


@pytest.fixture(scope="module")
def model() -> YOLO:
    return YOLO(YOLOConfig(image_size=64, num_classes=3)).eval()


@pytest.fixture
def maps() -> list[Tensor]:
    """Three empty maps of a 64 × 64 image: 4 · 16 logits of distances, 3 of classes."""
    maps = [torch.zeros(2, 64 + 3, 64 // s, 64 // s) for s in STRIDES]
    for map in maps:
        map[:, 64:] = -SURE
    return maps


def put(map: Tensor, x: int, y: int, sides: tuple[int, ...], label: int, logit: float) -> None:
    """An object in the first image, so many strides from the point (x, y) to its four sides."""
    for side, distance in enumerate(sides):
        map[0, 16 * side + distance, y, x] = SURE
    map[0, 64 + label, y, x] = logit


def test_a_point_becomes_a_box_in_pixels(model: YOLO, maps: list[Tensor]) -> None:
    put(maps[1], x=2, y=1, sides=(1, 0, 2, 3), label=2, logit=SURE)
    here, nothing = model.postprocess(maps)
    # The point is at stride 16 · (2.5, 1.5) = (40, 24).
    expected = torch.tensor([[40.0 - 16, 24.0, 40 + 32, 24 + 48, 1.0, 2.0]])
    torch.testing.assert_close(here, expected, atol=1e-3, rtol=0)
    assert nothing.shape == (0, 6)


def test_of_two_boxes_of_one_class_the_better_stays(model: YOLO, maps: list[Tensor]) -> None:
    put(maps[0], x=2, y=2, sides=(2, 2, 2, 2), label=0, logit=1.0)
    put(maps[0], x=3, y=2, sides=(3, 2, 1, 2), label=0, logit=2.0)
    put(maps[0], x=2, y=3, sides=(2, 3, 2, 1), label=1, logit=0.0)
    found = model.postprocess(maps)[0]
    assert found[:, 5].tolist() == [0.0, 1.0]
    assert found[:, 4].tolist() == pytest.approx([torch.tensor(2.0).sigmoid().item(), 0.5])
    assert len(model.postprocess(maps, overlap=1.0)[0]) == 3
    assert len(model.postprocess(maps, confidence=0.6)[0]) == 1
    assert len(model.postprocess(maps, max_detections=1)[0]) == 1


def test_a_point_is_of_its_best_class_or_of_every_likely_one(
    model: YOLO, maps: list[Tensor]
) -> None:
    put(maps[0], x=2, y=2, sides=(2, 2, 2, 2), label=0, logit=2.0)
    maps[0][0, 64 + 2, 2, 2] = 1.0
    assert model.postprocess(maps)[0][:, 5].tolist() == [0.0]
    assert model.postprocess(maps, multi_label=True)[0][:, 5].tolist() == [0.0, 2.0]
    maps[0][0, 64 + 2, 2, 2] = 2.0  # a tie is one detection
    assert len(model.postprocess(maps)[0]) == 1


def test_the_bins_of_a_distance_are_counted_and_not_trained(model: YOLO) -> None:
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert [p.flatten().tolist() for p in frozen] == [list(range(16))]
