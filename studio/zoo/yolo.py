r"""YOLO finds every object in one look: no proposals, no second stage, one convolutional pass.

A *backbone* halves the image five times. A *neck* passes the content of the deep maps down to the
fine maps, and exact positions back up, so that each of three maps, of stride 8, 16 and 32, has
both. A *head* predicts at every pixel of every map the classes that are present and the distances
from this point to the four sides of the box. A 640 × 640 image gives $80^2 + 40^2 + 20^2 = 8400$
candidates.

**Anchor-free, decoupled.** Earlier versions corrected the sizes of predefined *anchor* boxes.
YOLOv8 measures from the point itself, with one branch for boxes and one for classes, because where
an object is and what it is need different features. There is no objectness score either.

**A distance is a distribution.** A side that is hidden or blurred has no one true distance. So the
head predicts $R$ logits a side, one for each of $0 \dots R - 1$ strides, and the distance is the
mean of their softmax, $d = \sum_{i} i \cdot p_i$ (Li et al. 2020, equation 4): a convolution with
fixed weights $0 \dots R - 1$, the sixteen parameters that are counted but never trained.

**C2f, the block.** Half of the channels bypass it; the other half go through a chain of bottlenecks
whose outputs are *all* concatenated. So the gradient has a short path to each of them.

**What to watch.** `depth_mult` scales the depth of every block and `width_mult` the width of every
layer, from n to x. The largest widths are capped: the last stage holds most weights. Small objects
need resolution, and compute grows with its square. Published FLOPs are those of the fused network.

The model returns the raw maps, $4R + K$ channels each. In training, a loss (not in this file)
assigns points to objects. `decode` makes boxes in pixels; `postprocess` also suppresses duplicates.

Shapes: B batch, C channels, C' channels after a layer, c hidden channels of a block, H W image,
H' W' a map of stride 2 to 32, K num_classes, R reg_max, A points of all maps.

Paper: none for version 8; Redmon et al., "You Only Look Once", CVPR 2016,
https://arxiv.org/abs/1506.02640; Li et al., "Generalized Focal Loss", NeurIPS 2020 (the
distribution), https://arxiv.org/abs/2006.04388; Liu et al., "Path Aggregation Network", CVPR 2018
(the neck), https://arxiv.org/abs/1803.01534

Official code: https://github.com/ultralytics/ultralytics (yolov8.yaml)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.boxes import nms
from studio.blocks.conv import ConvNormAct
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob

STRIDES = (8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class YOLOConfig:
    """Hyper-parameters of YOLOv8; the defaults are the n model."""

    depth_mult: float = knob(
        0.33, "Depth multiplier of 3, 6, 6, 3 blocks", axis="depth", ge=0.33, le=2.0, step=0.01
    )
    width_mult: float = knob(
        0.25, "Width multiplier of 64 to 1024 channels", axis="width", ge=0.125, le=1.5, step=0.125
    )
    max_channels: int = knob(1024, "Largest width at width_mult = 1", ge=256, le=1024, step=256)
    image_size: int = knob(
        640, "Input height and width", axis="resolution", ge=64, le=1280, step=32, multiple=32
    )
    reg_max: int = knob(16, "Bins R of the distribution over distances to a side", ge=4, le=32)
    activation: type[nn.Module] = knob(nn.SiLU, "Activation", options=(nn.SiLU, nn.Mish, nn.ReLU))
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(80, "Classes K", ge=1, le=1000)

    def channels(self, standard: int) -> int:
        """Channels of a layer with `standard` channels at `width_mult` 1: a multiple of 8."""
        return math.ceil(min(standard, self.max_channels) * self.width_mult / 8) * 8

    def repeats(self, standard: int) -> int:
        """Bottlenecks of a block with `standard` of them at `depth_mult` 1."""
        return max(round(standard * self.depth_mult), 1)


class YOLOBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the ε and the momentum of the official code."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.03)


class YOLOConv(ConvNormAct):
    """Conv in yolov8.yaml: (B, C, H, W) -> (B, C', H/stride, W/stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        activation: type[nn.Module],
        stride: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            norm=YOLOBatchNorm,
            activation=activation,
        )


class C2fBottleneck(nn.Module):
    """Two 3 × 3 convolutions, in the backbone with a shortcut: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, shortcut: bool, activation: type[nn.Module]) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.conv1 = YOLOConv(channels, channels, 3, activation)
        self.conv2 = YOLOConv(channels, channels, 3, activation)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x))  # (B, C, H, W)
        return x + y if self.shortcut else y


class C2f(nn.Module):
    """A cross-stage partial block that concatenates the outputs of its n bottlenecks.

    (B, C, H, W) -> (B, C', H, W), through (2 + n)·c channels with c = C'/2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int,
        shortcut: bool,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        c = out_channels // 2
        self.conv1 = YOLOConv(in_channels, 2 * c, 1, activation)
        self.conv2 = YOLOConv((2 + depth) * c, out_channels, 1, activation)
        bottlenecks = (C2fBottleneck(c, shortcut, activation) for _ in range(depth))
        self.bottlenecks = nn.ModuleList(bottlenecks)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.conv1(x).chunk(2, dim=1))  # 2 × (B, c, H, W)
        for bottleneck in self.bottlenecks:
            parts.append(bottleneck(parts[-1]))
        x = torch.cat(parts, dim=1)  # (B, 2*c + n*c, H, W)
        return self.conv2(x)  # (B, C', H, W)


class SPPF(nn.Module):
    """Fast spatial pyramid pooling: one 5 × 5 max pooling three times, which covers 5, 9 and 13.

    (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, activation: type[nn.Module]) -> None:
        super().__init__()
        c = channels // 2
        self.conv1 = YOLOConv(channels, c, 1, activation)
        self.conv2 = YOLOConv(4 * c, channels, 1, activation)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # (B, c, H, W)
        y5 = self.pool(x)  # (B, c, H, W)
        y9 = self.pool(y5)  # (B, c, H, W)
        x = torch.cat((x, y5, y9, self.pool(y9)), dim=1)  # (B, 4*c, H, W)
        return self.conv2(x)  # (B, C, H, W)


class DarknetStage(nn.Sequential):
    """A convolution of stride 2, then a C2f with shortcuts: (B, C, H, W) -> (B, C', H/2, W/2)."""

    def __init__(
        self, in_channels: int, channels: int, depth: int, activation: type[nn.Module]
    ) -> None:
        super().__init__(
            YOLOConv(in_channels, channels, 3, activation, stride=2),
            C2f(channels, channels, depth, True, activation),
        )


class CSPDarknet(nn.Module):
    """The backbone: a stem and four stages, of which the last three are kept (P3, P4, P5)."""

    def __init__(
        self, in_channels: int, widths: list[int], depths: list[int], activation: type[nn.Module]
    ) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = widths
        self.stem = YOLOConv(in_channels, w1, 3, activation, stride=2)
        self.stage2 = DarknetStage(w1, w2, depths[0], activation)
        self.stage3 = DarknetStage(w2, w3, depths[1], activation)
        self.stage4 = DarknetStage(w3, w4, depths[2], activation)
        self.stage5 = DarknetStage(w4, w5, depths[3], activation)
        self.sppf = SPPF(w5, activation)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stage2(self.stem(images))  # (B, C', H/4, W/4)
        p3 = self.stage3(x)  # (B, C', H/8, W/8)
        p4 = self.stage4(p3)  # (B, C', H/16, W/16)
        p5 = self.sppf(self.stage5(p4))  # (B, C', H/32, W/32)
        return p3, p4, p5


class PathAggregation(nn.Module):
    """The neck: deep features go down to P3, then fine ones up to P5; maps keep their shapes."""

    def __init__(self, widths: Sequence[int], depth: int, activation: type[nn.Module]) -> None:
        super().__init__()
        w3, w4, w5 = widths
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.down4 = C2f(w5 + w4, w4, depth, False, activation)
        self.down3 = C2f(w4 + w3, w3, depth, False, activation)
        self.half3 = YOLOConv(w3, w3, 3, activation, stride=2)
        self.up4 = C2f(w3 + w4, w4, depth, False, activation)
        self.half4 = YOLOConv(w4, w4, 3, activation, stride=2)
        self.up5 = C2f(w4 + w5, w5, depth, False, activation)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n4 = self.down4(torch.cat((self.up(p5), p4), dim=1))  # (B, C', 2*H, 2*W)
        n3 = self.down3(torch.cat((self.up(n4), p3), dim=1))  # (B, C', 4*H, 4*W)
        n4 = self.up4(torch.cat((self.half3(n3), n4), dim=1))  # (B, C', 2*H, 2*W)
        n5 = self.up5(torch.cat((self.half4(n4), p5), dim=1))  # (B, C', H, W)
        return n3, n4, n5


class DFL(nn.Module):
    """The mean of a distribution over R distances (Generalized Focal Loss, equation 4).

    (B, 4·R, A) logits -> (B, 4, A) distances in strides: left, top, right, bottom.
    """

    def __init__(self, reg_max: int) -> None:
        super().__init__()
        bins = torch.arange(reg_max, dtype=torch.float).view(1, reg_max, 1, 1)
        self.weight = nn.Parameter(bins, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        B, R, A = x.shape[0], self.weight.shape[1], x.shape[2]
        p = x.view(B, 4, R, A).softmax(dim=2)  # (B, 4, R, A)
        return (p * self.weight.view(R, 1)).sum(dim=2)  # (B, 4, A)


class DetectBranch(nn.Sequential):
    """Two 3 × 3 convolutions and the logits, which begin at `bias`.

    (B, C, H, W) -> (B, outputs, H, W).
    """

    def __init__(
        self, in_channels: int, width: int, outputs: int, bias: float, activation: type[nn.Module]
    ) -> None:
        super().__init__(
            YOLOConv(in_channels, width, 3, activation),
            YOLOConv(width, width, 3, activation),
            nn.Conv2d(width, outputs, 1),
        )
        nn.init.constant_(self[-1].get_parameter("bias"), bias)


class DetectHead(nn.Module):
    """One branch for boxes and one for classes on each of three maps; nothing is shared.

    (B, C, H, W) of stride 8, 16 and 32 to (B, 4·R + K, H, W) each.
    """

    def __init__(
        self, widths: Sequence[int], num_classes: int, reg_max: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        sides, width = 4 * reg_max, widths[0]
        box_width, class_width = max(16, width // 4, sides), max(width, min(num_classes, 100))
        # About five objects in an image of 640 × 640, spread over the classes.
        rare = [math.log(5 / num_classes / (640 / stride) ** 2) for stride in STRIDES]
        boxes = (DetectBranch(w, box_width, sides, 1.0, activation) for w in widths)
        self.boxes = nn.ModuleList(boxes)
        self.classes = nn.ModuleList(
            DetectBranch(w, class_width, num_classes, bias, activation)
            for w, bias in zip(widths, rare, strict=True)
        )
        self.dfl = DFL(reg_max)

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        outputs = []
        for x, boxes, classes in zip(maps, self.boxes, self.classes, strict=True):
            y = torch.cat((boxes(x), classes(x)), dim=1)  # (B, 4*R + K, H, W)
            outputs.append(y)
        return tuple(outputs)


class YOLO(nn.Module):
    """Backbone, neck and head of YOLOv8, with the decoding of its maps to detections."""

    def __init__(self, config: YOLOConfig) -> None:
        super().__init__()
        activation, K = config.activation, config.num_classes
        widths = [config.channels(standard) for standard in (64, 128, 256, 512, 1024)]
        depths = [config.repeats(standard) for standard in (3, 6, 6, 3)]
        self.split = [4 * config.reg_max, K]
        self.backbone = CSPDarknet(config.in_channels, widths, depths, activation)
        self.neck = PathAggregation(widths[2:], config.repeats(3), activation)
        self.head = DetectHead(widths[2:], K, config.reg_max, activation)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (B, C, H, W) to three maps (B, 4·R + K, H/s, W/s), of strides s = 8, 16 and 32."""
        p3, p4, p5 = self.head(*self.neck(*self.backbone(images)))
        return p3, p4, p5

    def decode(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The maps to boxes (B, A, 4), x1 y1 x2 y2 in pixels, and probabilities (B, A, K)."""
        boxes, scores = [], []
        for stride, x in zip(STRIDES, maps, strict=True):
            sides, classes = torch.split(x.flatten(2), self.split, dim=1)
            left_top, right_bottom = self.head.dfl(sides).chunk(2, dim=1)  # 2 × (B, 2, A')
            ys, xs = (torch.arange(n, device=x.device) + 0.5 for n in x.shape[2:])
            points = torch.stack(torch.meshgrid(xs, ys, indexing="xy")).flatten(1)  # (2, A')
            corners = torch.cat((points - left_top, points + right_bottom), dim=1)  # (B, 4, A')
            boxes.append(corners * stride)
            scores.append(classes.sigmoid())
        return torch.cat(boxes, dim=2).mT, torch.cat(scores, dim=2).mT

    def postprocess(
        self,
        maps: Sequence[Tensor],
        confidence: float = 0.25,
        overlap: float = 0.7,
        max_detections: int = 300,
        multi_label: bool = False,
    ) -> list[Tensor]:
        """For each image its detections (n, 6), best first: x1, y1, x2, y2, probability, class.

        A box is dropped where a better one of its class overlaps it by more than `overlap` (IoU).
        A point gives its best class; with `multi_label`, as in validation (there at a confidence
        of 0.001), every class above `confidence`.
        """
        detections = []
        for boxes, scores in zip(*self.decode(maps), strict=True):
            likely = scores > confidence  # (A, K)
            if not multi_label:
                likely &= nn.functional.one_hot(scores.argmax(dim=1), scores.shape[1]).bool()
            point, label = likely.nonzero(as_tuple=True)
            score = scores[point, label]
            found = torch.cat((boxes[point], score[:, None], label[:, None].to(boxes)), dim=1)
            keep = nms(found[:, :4], found[:, 4], found[:, 5], overlap, max_detections)
            detections.append(found[keep])
        return detections


def example(config: YOLOConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def scaled(depth_mult: float, width_mult: float, max_channels: int) -> YOLOConfig:
    """A row of `scales` in yolov8.yaml."""
    return YOLOConfig(depth_mult=depth_mult, width_mult=width_mult, max_channels=max_channels)


YAML = "https://github.com/ultralytics/ultralytics, yolov8.yaml"
PRESETS = (
    Preset("YOLOv8n", scaled(0.33, 0.25, 1024), 3_157_200, YAML),
    Preset("YOLOv8s", scaled(0.33, 0.50, 1024), 11_166_560, YAML),
    Preset("YOLOv8m", scaled(0.67, 0.75, 768), 25_902_640, YAML),
    Preset("YOLOv8l", scaled(1.00, 1.00, 512), 43_691_520, YAML),
    Preset("YOLOv8x", scaled(1.00, 1.25, 512), 68_229_648, YAML),
)
AP = {"YOLOv8n": 37.3, "YOLOv8s": 44.9, "YOLOv8m": 50.2, "YOLOv8l": 52.9, "YOLOv8x": 53.9}
DOCS = "https://docs.ultralytics.com/models/yolov8, detection on COCO val2017 at 640"

FAMILY = Family(
    title="YOLO",
    config=YOLOConfig,
    model=YOLO,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("detection",),
        data="medium",
        use_when="objects must be found in real time, on a video or on a small device",
        avoid_when="the last point of accuracy on small or crowded objects counts more than time",
        strengths=(
            "one pass, a few milliseconds an image on a GPU",
            "five sizes from one design: take the largest that is fast enough",
            "convolutions alone: exports and quantises well",
        ),
        cost=(
            r"parameters and MACs grow with $w^2$ and, less than in proportion, with $d$; MACs "
            r"with $HW$: 4.4 G for n and 129 G for x at 640"
        ),
        related=("faster_rcnn", "detr", "resnet", "efficientnet"),
        results=results("COCO val box AP", "%", DOCS, AP),
    ),
)
