r"""DeepLab labels every pixel: a large receptive field without losing resolution.

A classifier discards resolution: after five strides of two, a pixel of the last map stands for 32 ×
32 of the image. For labels that is too coarse, yet the last layers need a large receptive field.
*Atrous* convolution (à trous: with holes) gives both. Spread the nine taps of a 3 × 3 kernel over
every $r$-th pixel (equation 1),

$$y[i] = \sum_k x[i + r \cdot k]\, w[k]$$

and it sees as far as it would on a map that is $r$ times smaller, with the same nine weights. So
take a ResNet and replace its last strides by rates $r = 2$ and $4$ in the layers after them. The
classifier's weights fit unchanged, and at `output_stride` 8 the last map has sixteen times the
pixels.

**ASPP: several scales at once.** Objects differ in size. *Atrous spatial pyramid pooling* reads the
last map in five parallel branches: a 1 × 1 convolution, three 3 × 3 ones at the rates 12, 24 and
36, and the mean over the whole image. At a rate larger than the map only the middle tap of a kernel
lies inside, so rates alone cannot cover the whole image: that is what the mean is for (section
3.3). The rates count pixels of the map: at `output_stride` 16 they are 6, 12 and 18.

**V3 or V3+.** V3 classifies the coarse map and interpolates the result eight-fold: borders are
soft. V3+ adds a small decoder: it interpolates four-fold, joins the sharp map C2 of the first
stage, reduced to 48 channels so that it does not outweigh the context, and convolves again. With
it, `output_stride` 16 is good enough, at about a third of the compute.

**What to watch.** Output stride is the expensive knob: halve it, and the compute and the memory of
the last stages grow four-fold, while no parameter changes. The auxiliary head on C4 helps training;
remove it for deployment.

Shapes: B batch, C image channels, H W image, c channels of a map, h w its size, D head_channels,
K num_classes.

Paper: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017,
https://arxiv.org/abs/1706.05587; V3+: Chen et al., "Encoder-Decoder with Atrous Separable
Convolution for Semantic Image Segmentation", ECCV 2018, https://arxiv.org/abs/1802.02611

Official code: https://github.com/tensorflow/models/tree/master/research/deeplab
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.norm import GroupNorm
from studio.blocks.resnet_backbone import ResNetBackbone
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class AtrousConv(nn.Module):
    """k × k convolution whose taps lie `rate` pixels apart, normalisation, ReLU (equation 1).

    (B, c, h, w) -> (B, D, h, w).
    """

    def __init__(
        self, in_channels: int, channels: int, kernel_size: int, rate: int, norm: type[nn.Module]
    ) -> None:
        super().__init__()
        padding = rate * (kernel_size // 2)
        self.conv = nn.Conv2d(
            in_channels, channels, kernel_size, padding=padding, dilation=rate, bias=False
        )
        self.norm = norm(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # (B, D, h, w)
        return self.relu(self.norm(x))


class ImagePooling(nn.Module):
    """The mean over the whole map, projected, at every pixel: the context that no rate reaches.

    (B, c, h, w) -> (B, D, h, w).
    """

    def __init__(self, in_channels: int, channels: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm = norm(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        x = self.conv(self.pool(x))  # (B, D, 1, 1)
        # Expand first: one pixel of one image has no variance for BatchNorm to divide by.
        x = x.expand(-1, -1, h, w)  # (B, D, h, w)
        return self.relu(self.norm(x))


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: five branches, concatenated and projected (Figure 5).

    (B, c, h, w) -> (B, D, h, w).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        rates: tuple[int, ...],
        dropout: float,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        self.views = nn.ModuleList(
            (
                AtrousConv(in_channels, channels, 1, 1, norm),
                *(AtrousConv(in_channels, channels, 3, rate, norm) for rate in rates),
                ImagePooling(in_channels, channels, norm),
            )
        )
        self.project = AtrousConv(len(self.views) * channels, channels, 1, 1, norm)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([view(x) for view in self.views], dim=1)  # (B, 5*D, h, w)
        x = self.project(x)  # (B, D, h, w)
        return self.dropout(x)


class SegmentationHead(nn.Module):
    """From the backbone's maps C_i, for i in `maps`, to class logits at the size of the first."""

    maps: tuple[int, ...]


class DeepLabV3Head(SegmentationHead):
    """ASPP on C5, one more 3 × 3 convolution, the classes: (B, c, h, w) -> (B, K, h, w)."""

    maps = (5,)

    def __init__(
        self,
        in_channels: tuple[int, ...],
        channels: int,
        rates: tuple[int, ...],
        num_classes: int,
        dropout: float,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        self.aspp = ASPP(in_channels[0], channels, rates, dropout, norm)
        self.conv = AtrousConv(channels, channels, 3, 1, norm)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, c5: Tensor) -> Tensor:
        x = self.conv(self.aspp(c5))  # (B, D, h, w)
        return self.classifier(x)  # (B, K, h, w)


class DeepLabV3PlusHead(SegmentationHead):
    """ASPP on C5 and a decoder that joins the sharp C2 (V3+, Figure 2).

    (B, c', h, w) and (B, c, h', w') -> (B, K, h, w).
    """

    maps = (2, 5)

    def __init__(
        self,
        in_channels: tuple[int, ...],
        channels: int,
        rates: tuple[int, ...],
        num_classes: int,
        dropout: float,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        self.squeeze = AtrousConv(in_channels[0], 48, 1, 1, norm)
        self.aspp = ASPP(in_channels[1], channels, rates, dropout, norm)
        self.conv = AtrousConv(48 + channels, channels, 3, 1, norm)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, c2: Tensor, c5: Tensor) -> Tensor:
        sharp = self.squeeze(c2)  # (B, 48, h, w)
        x = self.aspp(c5)  # (B, D, h', w')
        x = F.interpolate(x, size=sharp.shape[2:], mode="bilinear")  # (B, D, h, w)
        x = torch.cat((sharp, x), dim=1)  # (B, 48 + D, h, w)
        x = self.conv(x)  # (B, D, h, w)
        return self.classifier(x)  # (B, K, h, w)


class FCNHead(nn.Module):
    """The auxiliary head: one 3 × 3 convolution to a quarter of the channels, and the classes.

    (B, c, h, w) -> (B, K, h, w) (Long et al. 2015).
    """

    def __init__(self, in_channels: int, num_classes: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv = AtrousConv(in_channels, in_channels // 4, 3, 1, norm)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(in_channels // 4, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.conv(x))  # (B, c', h, w)
        return self.classifier(x)  # (B, K, h, w)


@dataclass(frozen=True, kw_only=True)
class DeepLabConfig:
    """Hyper-parameters of a DeepLab on a ResNet (section 4 of the paper)."""

    depths: tuple[int, ...] = knob(
        (3, 4, 6, 3), "Blocks in each stage of the backbone", axis="depth", ge=1, le=40
    )
    base_channels: int = knob(
        64, "Channels of the backbone's first stage", axis="width", ge=8, le=128, step=8
    )
    head_channels: int = knob(
        256, "Channels D of each ASPP branch", axis="width", ge=16, le=1024, step=16
    )
    image_size: int = knob(513, "Input height and width", axis="resolution", ge=64, le=1024)
    output_stride: int = knob(
        16,
        "Input size over the size of the last map; 16 needs a third of the compute of 8",
        options=(8, 16, 32),
    )
    head: type[SegmentationHead] = knob(
        DeepLabV3PlusHead,
        "Segmentation head: ASPP alone (V3), or with a decoder (V3+)",
        options=(DeepLabV3Head, DeepLabV3PlusHead),
    )
    auxiliary: bool = knob(False, "Auxiliary head on C4, for training")
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm; GroupNorm suits small batches",
        options=(nn.BatchNorm2d, GroupNorm),
    )
    dropout: float = knob(0.1, "Dropout rate after ASPP", ge=0.0, le=0.9, step=0.05)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(21, "Classes K, including the background", ge=1, le=1000)


class DeepLab(nn.Module):
    """A dilated ResNet, a segmentation head, and optionally an auxiliary head for training."""

    def __init__(self, config: DeepLabConfig) -> None:
        super().__init__()
        base, norm = config.base_channels, config.norm
        auxiliary = (4,) if config.auxiliary else ()
        self.backbone = ResNetBackbone(
            config.in_channels,
            base,
            config.depths,
            norm,
            maps=(*config.head.maps, *auxiliary),
            output_stride=config.output_stride,
        )
        # 12, 24 and 36 at output stride 8; they halve with the map (section 3.3)
        rates = tuple(96 // config.output_stride * k for k in (1, 2, 3))
        channels = tuple(base * 2**i for i in config.head.maps)
        self.head = config.head(
            channels, config.head_channels, rates, config.num_classes, config.dropout, norm
        )
        self.auxiliary = FCNHead(16 * base, config.num_classes, norm) if config.auxiliary else None

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, C, H, W) to logits `out`, and with an auxiliary head `aux`: (B, K, H, W)."""
        size = images.shape[2:]
        maps = self.backbone(images)
        x = self.head(*(maps[i] for i in self.head.maps))  # (B, K, h, w)
        logits = {"out": F.interpolate(x, size=size, mode="bilinear")}
        if self.auxiliary is not None:
            x = self.auxiliary(maps[4])  # (B, K, h', w')
            logits["aux"] = F.interpolate(x, size=size, mode="bilinear")
        return logits


def example(config: DeepLabConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


# V3+ as VainF's PyTorch version has it: plain convolutions in ASPP and decoder.
PLUS_R50 = DeepLabConfig()
PLUS_R101 = DeepLabConfig(depths=(3, 4, 23, 3))


def v3(config: DeepLabConfig) -> DeepLabConfig:
    """V3 as torchvision has it."""
    return replace(config, head=DeepLabV3Head, output_stride=8, image_size=520, dropout=0.5)


R50 = v3(PLUS_R50)
R101 = v3(PLUS_R101)


TORCHVISION = "torchvision, documentation of "
NO_AUX = "torchvision, aux_loss=False, "
VAINF = "https://github.com/VainF/DeepLabV3Plus-Pytorch, "

# fmt: off
PRESETS = (
    Preset("DeepLabV3+ R50", PLUS_R50, 39_761_845, VAINF + "deeplabv3plus_resnet50"),
    Preset("DeepLabV3+ R101", PLUS_R101, 58_753_973, VAINF + "deeplabv3plus_resnet101"),
    Preset("DeepLabV3+ R50, output stride 8", replace(PLUS_R50, output_stride=8), 39_761_845, VAINF + "deeplabv3plus_resnet50"),  # noqa: E501
    Preset("DeepLabV3+ R101, output stride 8", replace(PLUS_R101, output_stride=8), 58_753_973, VAINF + "deeplabv3plus_resnet101"),  # noqa: E501
    Preset("DeepLabV3 R50", R50, 39_638_869, NO_AUX + "deeplabv3_resnet50"),
    Preset("DeepLabV3 R101", R101, 58_630_997, NO_AUX + "deeplabv3_resnet101"),
    Preset("DeepLabV3 R50, auxiliary head", replace(R50, auxiliary=True), 42_004_074, TORCHVISION + "deeplabv3_resnet50"),  # noqa: E501
    Preset("DeepLabV3 R101, auxiliary head", replace(R101, auxiliary=True), 60_996_202, TORCHVISION + "deeplabv3_resnet101"),  # noqa: E501
)
# fmt: on

VOC = "https://github.com/VainF/DeepLabV3Plus-Pytorch, README (trained at output stride 16)"
WEIGHTS = "torchvision, COCO_WITH_VOC_LABELS_V1 weights (COCO val2017, the classes of VOC)"

FAMILY = Family(
    title="DeepLab",
    config=DeepLabConfig,
    model=DeepLab,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("segmentation",),
        data="medium",
        use_when="objects of all sizes need pixel labels: street scenes, rooms, aerial images",
        avoid_when="there are a few dozen images with fine borders: take a U-Net",
        strengths=(
            "sees the whole image and still predicts on a dense map",
            "its backbone starts from any ImageNet classifier, weight for weight",
            "one number, the output stride, trades compute for detail",
        ),
        cost=(
            r"at output stride 8 the last two stages and the head of R50 hold 37 M parameters, and "
            r"use each once for every pixel of the last map: $37\,\mathrm{M} \cdot HW/64$ MACs"
        ),
        related=("unet", "resnet"),
        results=(
            *results(
                "COCO mIoU",
                "%",
                WEIGHTS,
                {"DeepLabV3 R50, auxiliary head": 66.4, "DeepLabV3 R101, auxiliary head": 67.4},
            ),
            *results(
                "COCO mIoU",
                "%",
                WEIGHTS + ", without the auxiliary head that trained it",
                {"DeepLabV3 R50": 66.4, "DeepLabV3 R101": 67.4},
            ),
            *results("VOC 2012 mIoU", "%", VOC, {"DeepLabV3+ R50": 77.2, "DeepLabV3+ R101": 78.3}),
        ),
    ),
)
