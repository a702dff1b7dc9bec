"""Detectors and DeepLab: what each promises beyond the contract of every family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import studio
from studio.analysis.trace.tracer import trace
from studio.blocks.boxes import clipped, decoded, overlap
from studio.blocks.norm import FrozenBatchNorm
from studio.blocks.resnet_backbone import ResNetBackbone
from studio.zoo.faster_rcnn import detections
from studio.zoo.mask_rcnn import Detections

TINY: dict[str, Any] = {"depths": (1, 1, 1, 1), "base_channels": 8, "image_size": 128}
HEADS = TINY | {"fpn_channels": 16, "hidden_dim": 64, "num_proposals": 50, "num_classes": 4}


@pytest.mark.parametrize(
    ("preset", "macs"), [("DETR-R50", 81_245_056_000), ("DETR-R50-DC5", 173_251_456_000)]
)
def test_detr_costs_what_the_official_code_does_on_an_image_of_800_by_1066(
    preset: str, macs: int
) -> None:
    model = studio.build(studio.design("detr", preset=preset), device="meta")
    heads = 100 * (256 * 92 + 2 * 256 * 256 + 256 * 4)  # it answers after each decoder layer
    counted = trace(model.eval(), (torch.empty(1, 3, 800, 1066, device="meta"),)).macs
    assert counted == macs - 5 * heads


def test_detr_keeps_its_first_stage_frozen() -> None:
    assert studio.profile(studio.design("detr")).trainable_params == 41_302_368


def test_detr_boxes_lie_in_the_image_best_first() -> None:
    design = studio.design("detr", **TINY, encoder_depth=1, decoder_depth=1, num_queries=7)
    model: Any = studio.build(design).eval()
    with torch.no_grad():
        scores, labels, boxes = model.postprocess(model(*studio.example(design)), 100, 200)
    assert (scores.shape, labels.shape, boxes.shape) == ((1, 7), (1, 7), (1, 7, 4))
    assert (scores.diff() <= 0).all()
    assert labels.max() < 91
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert (centre > 0).all()
    assert (centre < torch.tensor([200, 100])).all()


def test_a_dilated_backbone_keeps_its_weights_and_its_map() -> None:
    def backbone(stride: int) -> nn.Module:
        return ResNetBackbone(3, 8, (1, 2, 2, 2), nn.BatchNorm2d, maps=(2, 5), output_stride=stride)

    plain, dense = backbone(32), backbone(8)
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in (plain, dense)]
    assert shapes[0] == shapes[1]
    images = torch.randn(2, 3, 128, 96)
    assert {i: c.shape[1:] for i, c in plain(images).items()} == {2: (32, 32, 24), 5: (256, 4, 3)}
    assert {i: c.shape[1:] for i, c in dense(images).items()} == {2: (32, 32, 24), 5: (256, 16, 12)}
    dilations = [c.dilation[0] for c in dense.modules() if isinstance(c, nn.Conv2d)]
    assert [d for d in dilations if d > 1] == [2, 2, 4]  # the first unit keeps the rate before it


def test_frozen_batch_norm_is_batch_norm_that_does_not_move() -> None:
    norm, frozen = nn.BatchNorm2d(5).eval(), FrozenBatchNorm(5).train()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    frozen.load_state_dict(norm.state_dict(), strict=False)
    x = torch.randn(2, 5, 4, 4)
    before = frozen(x)
    assert torch.equal(before, norm(x))
    assert torch.equal(before, frozen(x))
    assert not list(frozen.parameters())


@pytest.mark.parametrize(("auxiliary", "names"), [(False, ["out"]), (True, ["out", "aux"])])
def test_deeplab_answers_at_the_size_of_the_image(auxiliary: bool, names: list[str]) -> None:
    design = studio.design("deeplab", **TINY, head_channels=16, auxiliary=auxiliary)
    model = studio.build(design).eval()
    with torch.no_grad():
        logits = model(torch.randn(1, 3, 70, 101))
    assert list(logits) == names
    assert {x.shape for x in logits.values()} == {(1, 21, 70, 101)}


def found(key: str, **settings: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    design = studio.design(key, **HEADS, **settings)
    torch.manual_seed(0)
    model = studio.build(design).eval()
    with torch.no_grad():
        return model, model(*studio.example(design, batch=2))


def test_proposals_lie_in_the_image_and_are_apart() -> None:
    _, outputs = found("faster_rcnn")
    proposals = outputs["proposals"]
    assert proposals.shape == (2, 50, 4)
    assert (proposals >= 0).all()
    assert (proposals <= 128).all()
    assert (proposals[..., 2:] > proposals[..., :2]).all()
    assert len(torch.unique(proposals[0], dim=0)) == 50


def test_detections_of_a_class_do_not_overlap_and_classes_may() -> None:
    model, outputs = found("faster_rcnn")
    one = torch.tensor([(10.0, 10, 60, 60), (12, 10, 62, 60), (10, 10, 60, 60), (70, 70, 90, 90)])
    chance = torch.tensor([(0, 9, 0, 0), (0, 8, 0, 0), (0, 0, 7, 0), (9, 0, 0, 0.0)])
    outputs = {
        "proposals": one.unsqueeze(0),
        "logits": chance.unsqueeze(0),
        "deltas": torch.zeros(1, 4, 4, 4),
    }
    ((scores, labels, boxes),) = model.postprocess(outputs, 128, 128)
    assert labels.tolist() == [1, 2]  # the second repeats the first, the last is background
    assert torch.equal(boxes, one[[0, 2]])
    assert torch.allclose(scores, chance.softmax(1)[[0, 2], [1, 2]])


def one_by_one(scores: torch.Tensor, boxes: torch.Tensor, most: int) -> list[tuple[int, int]]:
    """(proposal, class) of each detection, best first, by the words of the definition.

    Scores (R, K) and boxes (R, K, 4). The best that is left is a detection; what overlaps it in its
    class is dropped; and so on.
    """
    sides = (boxes[..., 2:] - boxes[..., :2]).amin(dim=2)
    left = [
        (r, k)
        for r in range(scores.shape[0])
        for k in range(1, scores.shape[1])
        if scores[r, k] > 0.05 and sides[r, k] >= 0.01
    ]
    left.sort(key=lambda at: float(scores[at]), reverse=True)
    detections: list[tuple[int, int]] = []
    while left and len(detections) < most:
        best = left.pop(0)
        detections.append(best)
        left = [
            at
            for at in left
            if at[1] != best[1] or overlap(boxes[at][None], boxes[best][None]).item() <= 0.5
        ]
    return detections


@pytest.mark.parametrize("seed", range(4))
def test_detections_are_those_of_the_definition(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator)

    corner, size = 40 * random(1, 60, 2), 30 * random(1, 60, 2)
    proposals = torch.cat((corner, corner + size * (random(1, 60, 1) > 0.1)), dim=2)
    outputs = {
        "proposals": proposals,
        "logits": 3 * random(1, 60, 5),
        "deltas": 2 * random(1, 60, 5, 4) - 1,
    }
    ((scores, labels, boxes),) = detections(outputs, 60, 50, most=40)
    chances = outputs["logits"].softmax(dim=2)[0]
    moved = decoded(outputs["deltas"], proposals.unsqueeze(2), (10.0, 5.0))
    moved = clipped(moved, 60, 50)[0]
    expected = one_by_one(chances, moved, most=40)
    assert len({proposal for proposal, _ in expected}) < len(expected)  # one of several classes
    assert labels.tolist() == [label for _, label in expected]
    assert torch.equal(boxes, torch.stack([moved[at] for at in expected]))
    assert torch.equal(scores, torch.stack([chances[at] for at in expected]))


def test_a_proposal_may_be_masked_as_two_classes() -> None:
    module = Detections(2)
    logits = torch.tensor([[[0.0, 5.0, 5.1], [9.0, 0.0, 0.0]]])
    boxes = torch.tensor([[(10.0, 10, 60, 60), (70, 70, 90, 90)]])
    found = module(logits, torch.zeros(1, 2, 3, 4), boxes, 100, 100)
    assert found[0, :, 5].tolist() == [2, 1]
    assert torch.equal(found[0, :, :4], boxes[0, [0, 0]])


def test_masks_of_detections_are_those_of_the_traced_network() -> None:
    model, _ = found("mask_rcnn", num_detections=20)
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        every = model.postprocess(model(images))
    compared = 0
    for (scores, labels, boxes, masks), traced in zip(model.detect(images), every, strict=True):
        assert masks.shape == (len(scores), 28, 28)
        assert (scores.diff() <= 0).all()
        for label, box, mask in zip(labels, boxes, masks, strict=True):
            same = (traced[1] == label) & (traced[2] == box).all(dim=1)
            for other in traced[3][same]:
                torch.testing.assert_close(mask, other)
                compared += 1
    assert compared


def test_an_image_without_an_object_has_no_detections() -> None:
    model, _ = found("mask_rcnn", num_detections=20)
    with torch.no_grad():
        model.box_head.classes.bias[0] = 100.0  # all is background
    for scores, labels, boxes, masks in model.detect(torch.randn(2, 3, 128, 128)):
        assert [len(x) for x in (scores, labels, boxes, masks)] == [0, 0, 0, 0]


@pytest.mark.parametrize("up", ["TransposedUp", "BilinearUp", "BilinearConvUp", "WideBilinearUp"])
@pytest.mark.parametrize("size", [(130, 107), (33, 64), (95, 31)])
def test_a_padded_u_net_answers_at_the_size_of_the_image(up: str, size: tuple[int, int]) -> None:
    model = studio.build(studio.design("unet", base_channels=8, depth=3, up=up))
    with torch.no_grad():
        assert model(torch.randn(1, 3, *size)).shape[2:] == size


def test_a_mask_is_that_of_its_class() -> None:
    model, outputs = found("mask_rcnn", num_detections=20)
    assert outputs["masks"].shape == (2, 20, 4, 28, 28)
    labelled = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(outputs["masks"].shape)
    for scores, labels, boxes, masks in model.postprocess(outputs | {"masks": labelled}):
        assert 0 < len(scores) == len(boxes)
        assert torch.allclose(masks[:, 0, 0], labels.float().sigmoid())
        assert labels.min() > 0


def test_the_masked_boxes_are_likely_and_apart() -> None:
    model, outputs = found("mask_rcnn", num_detections=20)
    for scores, labels, boxes, _ in model.postprocess(outputs):
        assert (scores.diff() <= 0).all()
        same = (labels == labels.unsqueeze(1)).triu(diagonal=1)
        assert (overlap(boxes, boxes)[same] <= 0.5).all()
