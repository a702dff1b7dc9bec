"""Detections are those of torchvision's R-CNNs. Runs where torchvision is installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.zoo.faster_rcnn import detections

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


@pytest.fixture(scope="module")
def roi_heads() -> Any:
    try:
        from torchvision.models.detection.roi_heads import RoIHeads
        from torchvision.ops import nms

        nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    except (ImportError, RuntimeError) as missing:  # a build for another torch has no operators
        pytest.skip(f"torchvision: {missing}")
    return RoIHeads(
        *(None, None, None),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=512,
        positive_fraction=0.25,
        bbox_reg_weights=None,
        score_thresh=0.05,
        nms_thresh=0.5,
        detections_per_img=100,
    )


@pytest.mark.parametrize("seed", range(5))
def test_detections_are_those_of_torchvision(roi_heads: Any, seed: int) -> None:
    torch.manual_seed(seed)
    corner = 600 * torch.rand(2, 300, 2)
    proposals = torch.cat((corner, corner + 200 * torch.rand(2, 300, 2)), dim=2)
    proposals[:, :5, 2:] = proposals[:, :5, :2]  # boxes without an area
    logits, deltas = 3 * torch.randn(2, 300, 21), torch.randn(2, 300, 21, 4)
    boxes, scores, labels = roi_heads.postprocess_detections(
        logits.flatten(0, 1), deltas.flatten(0, 1).flatten(1), list(proposals), [(700, 750)] * 2
    )
    outputs = {"logits": logits, "deltas": deltas, "proposals": proposals}
    for i, (score, label, box) in enumerate(detections(outputs, 700, 750)):
        torch.testing.assert_close(score, scores[i])
        assert torch.equal(label, labels[i])
        torch.testing.assert_close(box, boxes[i], rtol=1e-5, atol=1e-3)
