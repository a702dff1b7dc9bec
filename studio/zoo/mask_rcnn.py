r"""Mask R-CNN segments every object: a third output for each box.

Faster R-CNN predicts the class and the extent of each box. Mask R-CNN also predicts which pixels of
the box belong to the object: a small fully convolutional head reads 14 × 14 bins and gives a mask
of 28 × 28 *for every class*. The box head alone decides the class, and the mask of that class is
taken; so the masks of two classes never compete: each pixel of each is a binary decision (a
sigmoid, not a softmax). Separating class and shape is worth 5.5 points of mask AP (Table 2b).

**RoIAlign.** To cut a box out of a map, earlier detectors rounded its corners to whole pixels of
that map. For classification that does not matter; for a mask, half a pixel of a map of stride 16 is
eight pixels of the image. `RoIAlign` does not round: it interpolates at exact positions. That alone
improved masks by 10 % to 50 %, the more the stricter the metric.

**Fixed shapes.** The mask head reads detections, not proposals: fewer and tighter boxes. In
`forward`, which is traced, all shapes are fixed: the $R$ likeliest pairs of a proposal and a class
are candidates, those that overlap a better one of their class are sorted to the end (in one step,
see `duplicates`), and the first $N$ = `num_detections` get a mask; `postprocess` then drops the
unlikely ones. `detect` follows the papers' code: sequential suppression, and masks for the
remaining boxes.

**What to watch.** The mask head costs as much for one detection as 37 proposals cost the box head:
for 100 detections nearly half of what backbone, pyramid and proposal head cost together. `detect`
computes masks of likely detections only; a traced network computes all $N$.

Shapes: B batch, C channels, H W image, c channels of a map, h w its size, D fpn_channels, A anchors
of all levels, R num_proposals, N num_detections, S side of the bins, K num_classes, M boxes of all
images.

Paper: He et al., "Mask R-CNN", ICCV 2017, https://arxiv.org/abs/1703.06870

Official code: https://github.com/facebookresearch/detectron2
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.blocks.boxes import clipped, decoded, duplicates, rows
from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import FrozenBatchNorm, GroupNorm
from studio.blocks.pyramid import FeaturePyramid
from studio.blocks.resnet_backbone import ResNetBackbone
from studio.blocks.roi import RoIAlign
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob
from studio.zoo.faster_rcnn import BOX_SCALE, BoxHead, RegionProposalNetwork, detections


@dataclass(frozen=True, kw_only=True)
class MaskRCNNConfig:
    """Hyper-parameters of a Mask R-CNN on a ResNet with FPN (section 3 of the paper)."""

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
        1024, "Hidden width of the box head", axis="width", ge=64, le=2048, step=64
    )
    image_size: int = knob(800, "Input height and width", axis="resolution", ge=64, le=1344, step=2)
    num_proposals: int = knob(1000, "Proposals R passed to the box head", ge=10, le=2000, step=10)
    num_detections: int = knob(100, "Detections N with a mask", ge=10, le=300, step=10)
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

    def __post_init__(self) -> None:
        if self.num_detections > self.num_proposals:
            raise ValueError(
                f"num_detections={self.num_detections} is more than "
                f"num_proposals={self.num_proposals}"
            )


class Detections(nn.Module):
    """The best N boxes, each with its score and its class, best first, in fixed shapes.

    Logits (B, R, K), deltas (B, R, K, 4), proposals (B, R, 4) and the image's size -> (B, N, 6):
    x1, y1, x2, y2, score, class. The R likeliest pairs of a proposal and a class are considered;
    boxes that overlap a better one of their class go to the end, with scores below zero.
    """

    def __init__(self, num_detections: int) -> None:
        super().__init__()
        self.num_detections = num_detections

    def forward(
        self, logits: Tensor, deltas: Tensor, proposals: Tensor, height: int, width: int
    ) -> Tensor:
        R, K = logits.shape[1:]
        scores = logits.softmax(dim=2)[..., 1:].flatten(1)  # (B, R*K - R)
        scores, pair = scores.topk(R, dim=1)  # 2 × (B, R)
        proposal, labels = pair // (K - 1), pair % (K - 1) + 1  # 2 × (B, R)
        deltas = rows(deltas.flatten(1, 2), proposal * K + labels)  # (B, R, 4)
        boxes = decoded(deltas, rows(proposals, proposal), BOX_SCALE)  # (B, R, 4)
        boxes = clipped(boxes, height, width)
        apart = boxes + labels.unsqueeze(2) * 2 * max(height, width)  # classes do not overlap
        scores = torch.where(duplicates(apart, 0.5), scores - 1, scores)
        best = scores.topk(min(self.num_detections, scores.shape[1]), dim=1).indices  # (B, N)
        found = torch.cat((boxes, scores.unsqueeze(2), labels.unsqueeze(2)), dim=2)  # (B, R, 6)
        return rows(found, best)  # (B, N, 6)


class MaskHead(nn.Module):
    """The mask of the object in a box, for each class: (M, D, S, S) -> (M, K, 2·S, 2·S).

    A small FCN: four convolutions, one transposed to twice the size, the classes (Figure 4).
    """

    def __init__(self, channels: int, num_classes: int, norm: type[nn.Module]) -> None:
        super().__init__()
        bias = norm is nn.Identity
        self.convs = nn.Sequential(
            *(
                ConvNormAct(channels, channels, 3, bias=bias, norm=norm, activation=nn.ReLU)
                for _ in range(4)
            )
        )
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.relu = nn.ReLU()
        self.classes = nn.Conv2d(channels, num_classes, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-out (He et al. 2015), as in detectron2."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.up(self.convs(x)))  # (M, D, 2*S, 2*S)
        return self.classes(x)  # (M, K, 2*S, 2*S)


class MaskRCNN(nn.Module):
    """Faster R-CNN, and a mask for each of its best detections (Figure 1)."""

    def __init__(self, config: MaskRCNNConfig) -> None:
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
        self.detections = Detections(config.num_detections)
        self.mask_align = RoIAlign(14)
        self.mask_head = MaskHead(channels, config.num_classes, config.head_norm)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, C, H, W) to what the losses and `postprocess` need.

        `objectness` (B, A) and `anchor_deltas` (B, A, 4) of all anchors; `proposals` (B, R, 4), and
        for each of them `logits` (B, R, K) and `deltas` (B, R, K, 4); `detections` (B, N, 6), and
        for each of them `masks` (B, N, K, 28, 28), as logits.
        """
        H, W = images.shape[2:]
        levels, outputs = self.boxes(images)
        logits, deltas = outputs["logits"].detach(), outputs["deltas"].detach()
        found = self.detections(logits, deltas, outputs["proposals"], H, W)  # (B, N, 6)
        masks = self.masks(levels, found[..., :4])  # (B, N, K, 28, 28)
        return outputs | {"detections": found, "masks": masks}

    def boxes(self, images: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        """P2 ... P5 of images (B, C, H, W), and all outputs but `detections` and `masks`."""
        H, W = images.shape[2:]
        levels = self.fpn(list(self.backbone(images).values()))
        objectness, anchor_deltas, proposals = self.rpn(levels, H, W)
        x = self.roi_align(levels[:4], proposals)  # (B*R, D, S, S)
        logits, deltas = (y.unflatten(0, proposals.shape[:2]) for y in self.box_head(x))
        return levels[:4], {
            "objectness": objectness,
            "anchor_deltas": anchor_deltas,
            "proposals": proposals,
            "logits": logits,
            "deltas": deltas,
        }

    def masks(self, levels: list[Tensor], boxes: Tensor) -> Tensor:
        """Logits (B, N, K, 28, 28) of boxes (B, N, 4) on P2 ... P5."""
        x = self.mask_align(levels, boxes)  # (B*N, D, S', S')
        return self.mask_head(x).unflatten(0, boxes.shape[:2])  # (B, N, K, 28, 28)

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """What `postprocess` gives, in the steps of the papers' code: at most N detections an image
        by suppression one by one, and masks for these alone."""
        levels, outputs = self.boxes(images)
        results = []
        H, W = images.shape[2:]
        found = detections(outputs, H, W, self.detections.num_detections)
        for i, (scores, labels, boxes) in enumerate(found):
            masks = self.masks([level[i : i + 1] for level in levels], boxes.unsqueeze(0))[0]
            chosen = masks[torch.arange(len(labels)), labels]  # (N, 28, 28)
            results.append((scores, labels, boxes, chosen.sigmoid()))
        return results

    def postprocess(
        self, outputs: dict[str, Tensor]
    ) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For each image, scores (n,), labels (n,), boxes (n, 4) and masks (n, 28, 28).

        The fixed-shape detections above 0.05, best first; a mask holds the probability of each
        part of its box. `detect` is closer to the papers' code, and cannot be traced.
        """
        results = []
        for found, masks in zip(outputs["detections"], outputs["masks"].sigmoid(), strict=True):
            (likely,) = (found[:, 4] > 0.05).nonzero(as_tuple=True)
            boxes, scores, labels = found[likely].split((4, 1, 1), dim=1)
            label = labels[:, 0].long()
            results.append((scores[:, 0], label, boxes, masks[likely, label]))
        return results


def example(config: MaskRCNNConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, 3, config.image_size, config.image_size),)


R50 = MaskRCNNConfig()
R101 = MaskRCNNConfig(depths=(3, 4, 23, 3))
V2 = MaskRCNNConfig(
    norm=nn.BatchNorm2d, head_norm=nn.BatchNorm2d, rpn_depth=2, box_convs=4, box_layers=1
)
TORCHVISION = "torchvision, documentation of "
SCRATCH = "torchvision, weights=None, "

# fmt: off
PRESETS = (
    Preset("Mask R-CNN R50-FPN", R50, 44_401_393, TORCHVISION + "maskrcnn_resnet50_fpn"),
    Preset("Mask R-CNN R50-FPN, from scratch", replace(R50, norm=nn.BatchNorm2d), 44_454_513, SCRATCH + "maskrcnn_resnet50_fpn"),  # noqa: E501
    Preset("Mask R-CNN R50-FPN v2", V2, 46_359_409, TORCHVISION + "maskrcnn_resnet50_fpn_v2"),
    Preset("Mask R-CNN R101-FPN", R101, 63_341_297, "torchvision, MaskRCNN on resnet_fpn_backbone of resnet101"),  # noqa: E501
)
# fmt: on

WEIGHTS = "torchvision, COCO_V1 weights, val2017"

FAMILY = Family(
    title="Mask R-CNN",
    config=MaskRCNNConfig,
    model=MaskRCNN,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("instance-segmentation", "detection"),
        data="medium",
        use_when="objects of one class must be told apart, counted and outlined",
        avoid_when="a label for each pixel is enough (DeepLab, U-Net), or frames come fast (YOLO)",
        strengths=(
            "boxes, classes and outlines from one network and one training",
            "small objects get their mask at the resolution of their own level",
            "the same head learns key points, depth or texture in place of masks",
        ),
        cost=(
            r"Faster R-CNN's, and for each of $N$ detections "
            r"$196\,(36 D^2 + 4 D^2 + 4 D K)$ MACs: 0.53 G with $D = 256$ and $K = 91$"
        ),
        related=("faster_rcnn", "unet", "deeplab", "yolo"),
        results=(
            Result("Mask R-CNN R50-FPN", "COCO val box AP", 37.9, "%", WEIGHTS),
            Result("Mask R-CNN R50-FPN", "COCO val mask AP", 34.6, "%", WEIGHTS),
            Result("Mask R-CNN R50-FPN v2", "COCO val box AP", 47.4, "%", WEIGHTS),
            Result("Mask R-CNN R50-FPN v2", "COCO val mask AP", 41.8, "%", WEIGHTS),
        ),
    ),
)
