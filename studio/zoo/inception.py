r"""An Inception module does not choose a filter size: it tries several at once, and keeps them all.

How large is the thing that matters, one pixel or five? A module looks at its input in four ways
side by side (1 × 1, 3 × 3 and 5 × 5 convolutions, and 3 × 3 max pooling) and *concatenates* the
results. The next layer learns which of them to use. GoogLeNet stacks nine such modules: 22 weight
layers, and yet twenty times fewer parameters than VGG.

**Why it is cheap.** A 5 × 5 convolution on hundreds of channels would be expensive, so each of the
large filters follows a *1 × 1 reduction* of the channels. In module 4a the 5 × 5 branch would take
$25 \cdot 480 \cdot 48 = 576\,000$ weights; through a reduction to 16 it takes $480 \cdot 16 + 25
\cdot 16 \cdot 48 = 26\,880$. And the head averages the last map instead of flattening it, which
saves the hundred million weights of VGG's first linear layer.

**Auxiliary heads.** In 2014, before batch normalisation, the gradient hardly reached the first
modules of a network so deep. Two small classifiers, on 4a and 4d, give the middle of the network a
loss of its own, which is added to the main loss with a weight of 0.3. They run in training only, as
in torchvision: the model then returns (logits, auxiliary logits of 4d, those of 4a), and in
evaluation the logits alone. So they cost parameters but no inference time.

**Two layouts.** The default is torchvision's: BatchNorm after each convolution and no bias, and the
"5 × 5" branch is in fact a 3 × 3, a mistake that was kept so that the trained weights still fit.
The layout of the paper has biases and no BatchNorm, a real 5 × 5, local response normalisation in
the stem, and 3 × 3 in the last max-pooling where torchvision has 2 × 2.

**What to watch.** The widths of a module are six numbers in Table 1, found by trial;
`base_channels` scales them all. Depth is added in stage 4, whose maps of 14 × 14 are small enough
to be cheap and large enough to hold parts of objects.

Shapes: B batch, C channels, C' channels after a layer, c base_channels, H W image,
H' W' after the pooling of a stage, F features of the head.

Paper: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, https://arxiv.org/abs/1409.4842

Official code: https://github.com/BVLC/caffe/tree/master/models/bvlc_googlenet (Caffe, of the
paper's layout); https://github.com/pytorch/vision (the layout with BatchNorm)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.blocks.inception import InceptionConv, InceptionModule
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob

# Table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj of each module, at c = 64.
INCEPTION_WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class InceptionBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the ε = 1e-3 of TensorFlow, where torchvision's weights are from."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)


class ResponseNorm(nn.LocalResponseNorm):
    """Divide by the activity of five neighbouring channels (Krizhevsky et al. 2012, 3.3)."""

    def __init__(self) -> None:
        super().__init__(5)


@dataclass(frozen=True, kw_only=True)
class GoogLeNetConfig:
    """Hyper-parameters of GoogLeNet; the defaults are torchvision's layout."""

    depth: int = knob(5, "Modules in stage 4; those over 5 repeat 4d", axis="depth", ge=3, le=12)
    base_channels: int = knob(
        64, "Channels c of the stem; scales all of Table 1", axis="width", ge=8, le=128, step=8
    )
    image_size: int = knob(224, "Input height and width", axis="resolution", ge=48, le=512, step=8)
    branch_kernel_size: int = knob(
        3, "Kernel size of the third branch: 5 in the paper, 3 in torchvision", options=(3, 5)
    )
    pool_kernel_size: int = knob(
        2, "Kernel size of the last max pooling: 3 in the paper, 2 in torchvision", options=(2, 3)
    )
    norm: type[nn.Module] = knob(
        InceptionBatchNorm,
        "Norm after each convolution; Identity for none, as in the paper",
        options=(InceptionBatchNorm, nn.Identity),
    )
    response_norm: type[nn.Module] = knob(
        nn.Identity,
        "Local response norm in the stem; Identity for none",
        options=(nn.Identity, ResponseNorm),
    )
    bias: bool = knob(False, "Bias in the convolutions (redundant before BatchNorm)")
    aux_logits: bool = knob(False, "Auxiliary heads on modules 4a and 4d, used in training")
    dropout: float = knob(0.2, "Dropout rate before the last layer", ge=0.0, le=0.9, step=0.05)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)


class InceptionStage(nn.Sequential):
    """Modules one after another at one resolution: (B, C, H, W) -> (B, out_channels, H, W)."""

    def __init__(
        self,
        in_channels: int,
        rows: Sequence[Sequence[int]],
        branch_kernel_size: int,
        bias: bool,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        self.out_channels = in_channels
        for widths in rows:
            module = InceptionModule(self.out_channels, widths, branch_kernel_size, bias, norm)
            self.append(module)
            self.out_channels = module.out_channels


class GoogLeNetStem(nn.Sequential):
    """Three convolutions and two max-poolings: (B, C, H, W) -> (B, 3·c, H/8, W/8)."""

    def __init__(
        self,
        in_channels: int,
        c: int,
        bias: bool,
        norm: type[nn.Module],
        response_norm: type[nn.Module],
    ) -> None:
        super().__init__(
            InceptionConv(in_channels, c, 7, bias, norm, stride=2),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            response_norm(),
            InceptionConv(c, c, 1, bias, norm),
            InceptionConv(c, 3 * c, 3, bias, norm),
            response_norm(),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
        )


class AuxiliaryHead(nn.Module):
    """A small classifier on a map in the middle (section 5): (B, C, H, W) -> (B, num_classes)."""

    def __init__(
        self, in_channels: int, c: int, bias: bool, norm: type[nn.Module], num_classes: int
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = InceptionConv(in_channels, 2 * c, 1, bias, norm)
        self.fc1 = nn.Linear(2 * c * 16, 16 * c)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(16 * c, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pool(x))  # (B, 2*c, 4, 4)
        x = self.relu(self.fc1(x.flatten(1)))  # (B, F)
        return self.fc2(self.dropout(x))  # (B, num_classes)


class GoogLeNet(nn.Module):
    """A stem, nine Inception modules in three stages, the mean over the map, one linear layer."""

    def __init__(self, config: GoogLeNetConfig) -> None:
        super().__init__()
        c, conv = config.base_channels, (config.bias, config.norm)

        def stage(in_channels: int, *names: str) -> InceptionStage:
            rows = [[width * c // 64 for width in INCEPTION_WIDTHS[name]] for name in names]
            return InceptionStage(in_channels, rows, config.branch_kernel_size, *conv)

        middle = [("4b", "4c", "4d")[min(i, 2)] for i in range(config.depth - 2)]
        self.stem = GoogLeNetStem(config.in_channels, c, *conv, config.response_norm)
        self.stage3 = stage(3 * c, "3a", "3b")
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.stage4a = stage(self.stage3.out_channels, "4a")
        self.stage4b = stage(self.stage4a.out_channels, *middle)
        self.stage4e = stage(self.stage4b.out_channels, "4e")
        self.pool4 = nn.MaxPool2d(config.pool_kernel_size, stride=2, ceil_mode=True)
        self.stage5 = stage(self.stage4e.out_channels, "5a", "5b")
        watched = (self.stage4a, self.stage4b) if config.aux_logits else ()
        self.aux = nn.ModuleList(
            AuxiliaryHead(part.out_channels, c, *conv, config.num_classes) for part in watched
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(self.stage5.out_channels, config.num_classes)
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-in (He et al. 2015), since the paper's layout has no norm."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Images (B, C, H, W) to logits (B, num_classes).

        In training with auxiliary heads: (logits, those on 4d, those on 4a), all of one shape.
        """
        x = self.pool3(self.stage3(self.stem(images)))  # (B, C', H', W')
        x4a = self.stage4a(x)  # (B, C', H', W')
        x4d = self.stage4b(x4a)  # (B, C', H', W')
        x = self.pool4(self.stage4e(x4d))  # (B, C', H', W')
        x = self.pool(self.stage5(x)).flatten(1)  # (B, F)
        logits = self.fc(self.dropout(x))  # (B, num_classes)
        if self.training and self.aux:
            aux1, aux2 = self.aux
            return logits, aux2(x4d), aux1(x4a)
        return logits


def example(config: GoogLeNetConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


TORCHVISION = GoogLeNetConfig()
ORIGINAL = GoogLeNetConfig(
    branch_kernel_size=5,
    pool_kernel_size=3,
    norm=nn.Identity,
    response_norm=ResponseNorm,
    bias=True,
    dropout=0.4,
)
TABLE = "Szegedy et al. 2015, Table 1, summed over the layers"

# fmt: off
PRESETS = (
    Preset("GoogLeNet", TORCHVISION, 6_624_904, "torchvision, documentation of googlenet"),
    Preset("GoogLeNet with auxiliary heads", replace(TORCHVISION, aux_logits=True), 13_004_888, "torchvision googlenet(aux_logits=True)"),  # noqa: E501
    Preset("GoogLeNet original", ORIGINAL, 6_998_552, TABLE),
    Preset("GoogLeNet original with auxiliary heads", replace(ORIGINAL, aux_logits=True), 13_378_280, TABLE + " and section 5"),  # noqa: E501
)
# fmt: on

TABLE_3 = "Szegedy et al. 2015, Table 3 (one model, one crop)"
WEIGHTS = "torchvision, IMAGENET1K_V1 weights, one crop at 224"

FAMILY = Family(
    title="GoogLeNet (Inception)",
    config=GoogLeNetConfig,
    model=GoogLeNet,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="parameters must be few and objects vary in size",
        avoid_when="time is what counts: many small branches keep a GPU waiting; take a ResNet",
        strengths=(
            "several scales in every layer",
            "the accuracy of VGG-11 with a twentieth of its parameters",
            "1 × 1 reductions: the idea behind every bottleneck since",
        ),
        cost=(
            r"a module with reductions $r_3, r_5$: $C(w_1 + r_3 + r_5 + w_p) + 9\,r_3 w_3 + k^2 "
            r"r_5 w_5$ parameters, once for every pixel in MACs; all grow with $c^2$"
        ),
        related=("vgg", "resnet", "mobilenet"),
        results=(
            *results(
                "ImageNet-1k top-1",
                "%",
                WEIGHTS,
                {"GoogLeNet": 69.778, "GoogLeNet with auxiliary heads": 69.778},
            ),
            *results(
                "ImageNet-1k top-5 error",
                "%",
                TABLE_3,
                {"GoogLeNet original": 10.07, "GoogLeNet original with auxiliary heads": 10.07},
            ),
        ),
    ),
)
