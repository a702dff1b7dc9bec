r"""Faster R-CNN detects in two stages: first where something is, then what it is.

**Where.** A *region proposal network* slides a small head over the map. At every pixel there are
three *anchors*, boxes of fixed size and shape; for each it predicts the probability of an object
and four deltas that fit the anchor to it (equation 2). The best thousand become proposals.

**What.** Each proposal is cut out of the map as 7 × 7 bins (`RoIAlign`), and two fully connected
layers predict its class and, for each class, refine the box. Both stages share one backbone: that
made proposals nearly free, and the detector a single network.

**The pyramid.** A stride of 32 loses small objects, and a stride of 4 sees too little. The *feature
pyramid* (FPN) takes the backbone's four maps and passes the features of the coarse ones down to the
fine ones, so that anchors of 32 pixels lie on P2 and those of 512 on P6, and each proposal is cut
out of the level that fits its size.

**Fixed shapes.** The number of objects in an image is not known in advance; a network that is
traced and exported needs fixed shapes. So the number of proposals $R$ is fixed, and proposals that
overlap a better one are sorted to the end instead of being dropped. They are found in one step
(`duplicates`), which also counts overlaps with proposals that are duplicates themselves; the
papers' code runs sequential non-maximum suppression. `postprocess`, which need not be traced, does
so too: a threshold, then suppression for each class.

**What to watch.** The backbone, the pyramid and the head on P2 grow with the pixels; the box head
grows with $R$, whatever the image. Batches hold a few large images, so batch normalisation keeps
its pre-trained statistics (`FrozenBatchNorm`); to train from scratch, use `GroupNorm`.

Shapes: B batch, C channels, H W image, c channels of a map, h w its size, D fpn_channels, A anchors
of all levels, a anchors of one level, R num_proposals, S side of the bins, F hidden_dim, K
num_classes.

Paper: Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks",
NeurIPS 2015, https://arxiv.org/abs/1506.01497; the pyramid: Lin et al., "Feature Pyramid Networks
for Object Detection", CVPR 2017, https://arxiv.org/abs/1612.03144

Official code: https://github.com/facebookresearch/detectron2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.blocks.boxes import clipped, decoded, duplicates, nms, rows
from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import FrozenBatchNorm, GroupNorm
from studio.blocks.pyramid import Anchors, FeaturePyramid
from studio.blocks.resnet_backbone import ResNetBackbone
from studio.blocks.roi import RoIAlign
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob

ANCHOR_SIZES = (32, 64, 128, 256, 512)
BOX_SCALE = (10.0, 5.0)  # the box head learns small deltas ten and five times as large


@dataclass(frozen=True, kw_only=True)
class FasterRCNNConfig:
    """Hyper-parameters of a Faster R-CNN on a ResNet with FPN (section 5.1 of the FPN paper)."""

    depths: tuple[int, ...] = knob(
        (3, 4, 6, 3), "Blocks in each stage of the ResNet", axis="depth", ge=1, le=40
    )
    base_channels: int = knob(
        64, "Channels of the ResNet's first stage", axis="width", ge=8, le=128, step=8
    )
    fpn_channels: int = knob(
        256, "Channels D of each pyramid level", axis="width", ge=16, le=512, step=16
    )
    hidden_dim: int = knob(
        1024, "Hidden width F of the box head", axis="width", ge=64, le=2048, step=64
    )
    image_size: int = knob(800, "Input height and width", axis="resolution", ge=64, le=1344, step=2)
    num_proposals: int = knob(1000, "Proposals R passed to the box head", ge=10, le=2000, step=10)
    rpn_depth: int = knob(1, "3 × 3 convolutions in the proposal head", ge=1, le=4)
    box_convs: int = knob(0, "3 × 3 convolutions in the box head", ge=0, le=8)
    box_layers: int = knob(2, "Linear layers in the box head", ge=1, le=4)
    norm: type[nn.Module] = knob(
        FrozenBatchNorm,
        "Norm in the backbone",
        options=(FrozenBatchNorm, nn.BatchNorm2d, GroupNorm),
    )
    head_norm: type[nn.Module] = knob(
        nn.Identity,
        "Norm in the pyramid and in the convolutions of the heads",
        options=(nn.Identity, nn.BatchNorm2d, GroupNorm),
    )
    num_classes: int = knob(91, "Classes K, including the background as class 0", ge=2, le=2000)


class ProposalHead(nn.Module):
    """Objectness and box deltas of three anchors at every pixel.

    (B, D, h, w) -> objectness (B, a) and deltas (B, a, 4), with a = 3·h·w.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        layers = (
            ConvNormAct(channels, channels, 3, bias=True, norm=nn.Identity, activation=nn.ReLU)
            for _ in range(depth)
        )
        self.convs = nn.Sequential(*layers)
        self.objectness = nn.Conv2d(channels, 3, 1)
        self.deltas = nn.Conv2d(channels, 3 * 4, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """Normal, σ = 0.01 (Ren et al. 2015, section 3.1.3)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.convs(x)
        objectness = self.objectness(x).permute(0, 2, 3, 1).flatten(1)  # (B, a)
        deltas = self.deltas(x).permute(0, 2, 3, 1).reshape(len(x), -1, 4)  # (B, a, 4)
        return objectness, deltas


class LevelProposals(nn.Module):
    """The best boxes of one level, best first; duplicates of a better one are sorted to the end.

    Objectness (B, a), deltas (B, a, 4), anchors (a, 4) -> scores (B, R) and boxes (B, R, 4).
    """

    def __init__(self, num_proposals: int) -> None:
        super().__init__()
        self.num_proposals = num_proposals

    def forward(
        self, objectness: Tensor, deltas: Tensor, anchors: Tensor, height: int, width: int
    ) -> tuple[Tensor, Tensor]:
        count = min(self.num_proposals, objectness.shape[1])
        scores, index = objectness.topk(count, dim=1)  # 2 × (B, R)
        boxes = decoded(rows(deltas, index), anchors[index])  # (B, R, 4)
        boxes = clipped(boxes, height, width)
        empty = (boxes[..., 2:] - boxes[..., :2]).amin(dim=2) < 1e-3  # (B, R)
        scores = torch.where(empty | duplicates(boxes, 0.7), scores - 1e4, scores)
        return scores, boxes


class RegionProposalNetwork(nn.Module):
    """One head for all levels, and the best R boxes of them all (section 3.1).

    P2 ... P6, (B, D, h, w) each, and the image's size -> objectness (B, A), deltas (B, A, 4) and
    proposals (B, R, 4), through which no gradient flows.
    """

    def __init__(self, channels: int, depth: int, num_proposals: int) -> None:
        super().__init__()
        self.num_proposals = num_proposals
        self.head = ProposalHead(channels, depth)
        self.anchors = nn.ModuleList(Anchors(size) for size in ANCHOR_SIZES)
        self.best = LevelProposals(num_proposals)

    def forward(
        self, levels: Sequence[Tensor], height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        answers, found = [self.head(level) for level in levels], []
        for level, anchors, (objectness, deltas) in zip(levels, self.anchors, answers, strict=True):
            boxes = anchors(level, height, width)  # (a, 4)
            found.append(self.best(objectness.detach(), deltas.detach(), boxes, height, width))
        scores = torch.cat([best[0] for best in found], dim=1)  # (B, R')
        boxes = torch.cat([best[1] for best in found], dim=1)  # (B, R', 4)
        index = scores.topk(min(self.num_proposals, scores.shape[1]), dim=1).indices  # (B, R)
        every_objectness = torch.cat([answer[0] for answer in answers], dim=1)  # (B, A)
        every_delta = torch.cat([answer[1] for answer in answers], dim=1)  # (B, A, 4)
        return every_objectness, every_delta, rows(boxes, index)


class BoxHead(nn.Module):
    """Class and box of each proposal: (B·R, D, S, S) -> logits (B·R, K), deltas (B·R, K, 4).

    Convolutions, if any, then fully connected layers, then one linear layer for each answer.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        convs: int,
        layers: int,
        hidden_dim: int,
        num_classes: int,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        bias = norm is nn.Identity
        self.convs = nn.Sequential(
            *(
                ConvNormAct(in_channels, in_channels, 3, bias=bias, norm=norm, activation=nn.ReLU)
                for _ in range(convs)
            )
        )
        self.layers = nn.Sequential(nn.Flatten())
        features = in_channels * size**2
        for _ in range(layers):
            self.layers.append(nn.Linear(features, hidden_dim))
            self.layers.append(nn.ReLU())
            features = hidden_dim
        self.classes = nn.Linear(hidden_dim, num_classes)
        self.boxes = nn.Linear(hidden_dim, num_classes * 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layers(self.convs(x))  # (N, F)
        logits = self.classes(x)  # (N, K)
        deltas = self.boxes(x).view(len(x), -1, 4)  # (N, K, 4)
        return logits, deltas


def detections(
    outputs: dict[str, Tensor], height: int, width: int, most: int = 100
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each image the scores (N,), labels (N,) and boxes (N, 4) of at most `most` detections.

    As the reference does it (torchvision, `RoIHeads.postprocess_detections`): a proposal may be a
    detection of several classes. Scores above 0.05, sides of a hundredth of a pixel or more,
    non-maximum suppression at an overlap of 0.5 within each class, best first.
    """
    scores = outputs["logits"].softmax(dim=2)
    boxes = decoded(outputs["deltas"], outputs["proposals"].unsqueeze(2), BOX_SCALE)
    boxes = clipped(boxes, height, width)
    likely = scores > 0.05
    likely &= (boxes[..., 2:] - boxes[..., :2]).amin(dim=3) >= 0.01
    found = []
    for score, box, keep in zip(scores, boxes, likely, strict=True):
        proposal, label = keep[:, 1:].nonzero(as_tuple=True)
        label = label + 1  # class 0 is the background
        score, box = score[proposal, label], box[proposal, label]
        best = nms(box, score, label, 0.5, most)
        found.append((score[best], label[best], box[best]))
    return found


class FasterRCNN(nn.Module):
    """Backbone, pyramid, proposals, and the box head (Figure 2)."""

    def __init__(self, config: FasterRCNNConfig) -> None:
        super().__init__()
        base, channels = config.base_channels, config.fpn_channels
        self.backbone = ResNetBackbone(3, base, config.depths, config.norm, maps=(2, 3, 4, 5))
        self.fpn = FeaturePyramid([base * 2**i for i in range(2, 6)], channels, config.head_norm)
        self.rpn = RegionProposalNetwork(channels, config.rpn_depth, config.num_proposals)
        self.roi_align = RoIAlign(7)
        self.box_head = BoxHead(
            channels,
            7,
            config.box_convs,
            config.box_layers,
            config.hidden_dim,
            config.num_classes,
            config.head_norm,
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, C, H, W) to what the losses and `postprocess` need.

        `objectness` (B, A) and `anchor_deltas` (B, A, 4) of all anchors; `proposals` (B, R, 4), and
        for each of them `logits` (B, R, K) and `deltas` (B, R, K, 4).
        """
        H, W = images.shape[2:]
        levels = self.fpn(list(self.backbone(images).values()))
        objectness, anchor_deltas, proposals = self.rpn(levels, H, W)
        x = self.roi_align(levels[:4], proposals)  # (B*R, D, S, S)
        logits, deltas = self.box_head(x)
        shape = proposals.shape[:2]
        return {
            "objectness": objectness,
            "anchor_deltas": anchor_deltas,
            "proposals": proposals,
            "logits": logits.unflatten(0, shape),
            "deltas": deltas.unflatten(0, shape),
        }

    def postprocess(
        self, outputs: dict[str, Tensor], height: int, width: int
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each image the scores (N,), labels (N,) and boxes (N, 4) of its detections."""
        return detections(outputs, height, width)


def example(config: FasterRCNNConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, 3, config.image_size, config.image_size),)


R50 = FasterRCNNConfig()
R101 = FasterRCNNConfig(depths=(3, 4, 23, 3))
V2 = FasterRCNNConfig(
    norm=nn.BatchNorm2d, head_norm=nn.BatchNorm2d, rpn_depth=2, box_convs=4, box_layers=1
)
TORCHVISION = "torchvision, documentation of "
SCRATCH = "torchvision, weights=None, "

# fmt: off
PRESETS = (
    Preset("Faster R-CNN R50-FPN", R50, 41_755_286, TORCHVISION + "fasterrcnn_resnet50_fpn"),
    Preset("Faster R-CNN R50-FPN, from scratch", replace(R50, norm=nn.BatchNorm2d), 41_808_406, SCRATCH + "fasterrcnn_resnet50_fpn"),  # noqa: E501
    Preset("Faster R-CNN R50-FPN v2", V2, 43_712_278, TORCHVISION + "fasterrcnn_resnet50_fpn_v2"),
    Preset("Faster R-CNN R101-FPN", R101, 60_695_190, "torchvision, FasterRCNN on resnet_fpn_backbone of resnet101"),  # noqa: E501
)
# fmt: on

WEIGHTS = "torchvision, COCO_V1 weights, val2017"

FAMILY = Family(
    title="Faster R-CNN",
    config=FasterRCNNConfig,
    model=FasterRCNN,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("detection",),
        data="medium",
        use_when="accuracy and small objects matter more than frames a second",
        avoid_when="video must be followed live or on a phone: take a one-stage detector",
        strengths=(
            "finds small and large objects alike, each on its own level of the pyramid",
            "trains well from a few thousand labelled images and an ImageNet backbone",
            "its second stage can predict more: masks, key points, tracks",
        ),
        cost=(
            r"with R50 about $0.188\,\mathrm{M}$ MACs for every pixel of the image, and "
            r"$14.4\,\mathrm{M}$ for every proposal: $49 D F + F^2 + 5 F K$"
        ),
        related=("mask_rcnn", "resnet", "yolo", "detr"),
        results=(
            Result("Faster R-CNN R50-FPN", "COCO val box AP", 37.0, "%", WEIGHTS),
            Result("Faster R-CNN R50-FPN v2", "COCO val box AP", 46.7, "%", WEIGHTS),
        ),
    ),
)
