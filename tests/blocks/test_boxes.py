"""Boxes: what the functions of detection say of cases that can be worked out by hand."""

from __future__ import annotations

import math

import torch

from studio.blocks.boxes import clipped, corners_of, decoded, duplicates, nms, overlap
from studio.blocks.pyramid import Anchors

# A box, the same moved by a tenth of its width, by a half, and one far away.
BOXES = torch.tensor([(0, 0, 10, 10), (1, 0, 11, 10), (5, 0, 15, 10), (50, 50, 60, 60.0)])


def test_overlap_is_the_shared_part_of_both() -> None:
    found = overlap(BOXES, BOXES)
    assert torch.allclose(found[0], torch.tensor([1, 9 / 11, 1 / 3, 0]))
    assert torch.equal(found, found.T)


def test_centre_and_size_become_corners() -> None:
    assert corners_of(torch.tensor([5.0, 6.0, 4.0, 2.0])).tolist() == [3, 5, 7, 7]


def test_deltas_move_by_sides_and_grow_by_powers() -> None:
    deltas = torch.tensor([0.1, -0.2, math.log(2), 0.0])
    assert torch.allclose(decoded(deltas, BOXES[0]), torch.tensor([-4.0, -2, 16, 8]))
    scaled = deltas * torch.tensor([10.0, 10, 5, 5])
    assert torch.allclose(decoded(scaled, BOXES[0], (10.0, 5.0)), decoded(deltas, BOXES[0]))


def test_a_box_grows_at_most_sixty_fold() -> None:
    grown = decoded(torch.tensor([0.0, 0.0, 1e9, 0.0]), BOXES[0])
    assert math.isclose(float(grown[2] - grown[0]), 10 * 1000 / 16, rel_tol=1e-5)


def test_what_lies_outside_the_image_is_cut_off() -> None:
    assert clipped(torch.tensor([-5.0, 2, 30, 40]), 20, 25).tolist() == [0, 2, 25, 20]


def test_duplicates_overlap_a_better_box() -> None:
    assert duplicates(BOXES, 0.5).tolist() == [False, True, False, False]
    assert duplicates(BOXES.flip(0), 0.5).tolist() == [False, False, False, True]


def test_suppression_spares_what_only_a_suppressed_box_overlaps() -> None:
    scores = torch.tensor([0.7, 0.8, 0.6, 0.9])
    alike = torch.ones(4, dtype=torch.long)
    assert nms(BOXES, scores, alike, 0.5).tolist() == [3, 1, 2]
    chain = BOXES[0] + torch.tensor([[0.0], [3], [6]]) * torch.tensor([1.0, 0, 1, 0])
    assert nms(chain, torch.tensor([3.0, 2, 1]), alike[:3], 0.5).tolist() == [0, 2]
    assert duplicates(chain, 0.5).tolist() == [False, True, True]  # one step is stricter


def test_suppression_spares_boxes_of_another_class() -> None:
    scores = torch.tensor([0.7, 0.8, 0.6, 0.9])
    assert nms(BOXES, scores, torch.tensor([0, 1, 0, 0]), 0.5).tolist() == [3, 1, 0, 2]
    assert nms(BOXES, scores, torch.tensor([1, 1, 0, 0]), 0.5).tolist() == [3, 1, 2]


def test_anchors_stand_on_every_pixel_of_a_level() -> None:
    boxes = Anchors(32)(torch.zeros(1, 8, 2, 3), 32, 48).view(2, 3, 3, 4)
    assert boxes[0, 0].tolist() == [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    assert torch.equal(boxes[1, 2], boxes[0, 0] + torch.tensor([32.0, 16, 32, 16]))


def test_suppression_may_end_with_the_best_few() -> None:
    scores, alike = torch.tensor([0.7, 0.8, 0.6, 0.9]), torch.ones(4, dtype=torch.long)
    assert nms(BOXES, scores, alike, 0.5, most=2).tolist() == [3, 1]
    assert nms(BOXES[:0], scores[:0], alike[:0], 0.5, most=2).tolist() == []
