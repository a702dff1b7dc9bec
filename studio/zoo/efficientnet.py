r"""EfficientNet asks in which proportion a network should grow, and answers with one number.

Give a network more compute and it can become deeper, wider, or look at larger images. Each alone
soon stops paying off: a deeper network on the same small image has nothing more to see. The paper
scales all three together. With a *compound coefficient* $\phi$ (eq. 3),

$$\text{depth} = \alpha^\phi \qquad \text{width} = \beta^\phi \qquad
\text{resolution} = \gamma^\phi \qquad \alpha \cdot \beta^2 \cdot \gamma^2 \approx 2$$

Compute grows with depth, but with the square of width and of resolution, so one step of $\phi$
about doubles it (the product is 1.92, and rounding up adds a little). A search on the small network
gave $\alpha = 1.2$, $\beta = 1.1$, $\gamma = 1.15$.

**The network.** B0 is a stack of *MBConv* blocks, found by architecture search: MobileNetV2's
inverted residuals, with a *squeeze-and-excite* that lets the whole map decide how much each channel
counts, and the smooth activation $x\,\sigma(x)$ (SiLU, or swish) throughout.

**Two ways to scale.** The knob `phi` follows the law from wherever the other knobs stand: it
multiplies `depth_mult`, `width_mult` and `image_size`. The published B1 to B7 are the law rounded
by hand (B3, say, is $\phi = 2$: the law gives 1.44, 1.21 and 296, the table says 1.4, 1.2 and 300),
so the presets have the table's multipliers and $\phi = 0$. Compare B0 at $\phi = 2$ with B3.

**What to watch.** Widths are rounded to multiples of eight, repeats are rounded up: a small step of
$\phi$ changes some layers and not others. Most parameters sit in the last stages, most activations
in the first: at high resolution activation memory is the limit, not parameters. Depthwise filters
and squeeze-and-excite do little work per byte, so a GPU needs more time than the MACs suggest.

B0 to B4 have the batch norm of torchvision's weights, B5 and above that of the official ones.
TensorFlow pads a stride-2 convolution on the right and below only; here, as in torchvision, it is
padded on all sides.

Shapes: B batch, C channels, C' channels after a layer, E expanded channels, S squeezed channels,
F features of the classifier, H W image, H' W' after striding.

Paper: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, https://arxiv.org/abs/1905.11946

Official code: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.drop_path import drop_paths
from studio.blocks.inverted_residual import MBConvBlock, make_divisible
from studio.blocks.norm import SlowBatchNorm
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob
from studio.stages.convolution import Conv
from studio.stages.head import PooledHead
from studio.stages.residual import MBConv
from studio.stages.stem import ConvStem

ALPHA = 1.2  # depth, width and resolution for one step of φ: the search of section 3.3
BETA = 1.1
GAMMA = 1.15


class Stage(NamedTuple):
    """A line of Table 1: n MBConv blocks that give c channels, the first with stride s."""

    t: int  # expansion
    k: int  # kernel
    s: int
    c: int
    n: int


STAGES = (
    Stage(t=1, k=3, s=1, c=16, n=1),
    Stage(t=6, k=3, s=2, c=24, n=2),
    Stage(t=6, k=5, s=2, c=40, n=2),
    Stage(t=6, k=3, s=2, c=80, n=3),
    Stage(t=6, k=5, s=1, c=112, n=3),
    Stage(t=6, k=5, s=2, c=192, n=4),
    Stage(t=6, k=3, s=1, c=320, n=1),
)


@dataclass(frozen=True, kw_only=True)
class EfficientNetConfig:
    """Hyper-parameters of an EfficientNet: how much of Table 1, and φ on top."""

    phi: float = knob(
        0.0, "Compound coefficient φ: scales depth, width and resolution", ge=-2.0, le=7.0, step=0.5
    )
    depth_mult: float = knob(
        1.0, "Depth multiplier of the repeats at φ = 0", axis="depth", ge=0.2, le=5.5, step=0.1
    )
    width_mult: float = knob(
        1.0, "Width multiplier of the channels at φ = 0", axis="width", ge=0.2, le=5.0, step=0.1
    )
    image_size: int = knob(
        224, "Input height and width at φ = 0", axis="resolution", ge=64, le=800, step=4
    )
    dropout: float = knob(0.2, "Dropout rate before the classifier", ge=0.0, le=0.9, step=0.05)
    drop_path: float = knob(
        0.2, "Stochastic depth rate of the last block", ge=0.0, le=0.9, step=0.05
    )
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "BatchNorm: ε = 1e-5, or as in the official code ε = 1e-3 and momentum 0.01",
        options=(nn.BatchNorm2d, SlowBatchNorm),
    )
    activation: type[nn.Module] = knob(
        nn.SiLU, "Activation", options=(nn.SiLU, nn.ReLU6, nn.Hardswish)
    )
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K", ge=1, le=30000)

    def repeats(self, n: int) -> int:
        """Blocks in a stage that has n in B0."""
        return math.ceil(n * self.depth_mult * ALPHA**self.phi)

    def channels(self, c: int) -> int:
        """Channels of a layer that has c in B0."""
        return make_divisible(c * self.width_mult * BETA**self.phi)

    @property
    def resolution(self) -> int:
        """Height and width of the images that the network is made for."""
        return round(self.image_size * GAMMA**self.phi)


class EfficientNet(nn.Module):
    """A stem, seven stages of MBConv, a last 1 × 1 convolution, the mean, a classifier."""

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        norm, activation = config.norm, config.activation
        conv = partial(ConvNormAct, norm=norm, activation=activation)
        channels = config.channels(32)
        self.stem = conv(config.in_channels, channels, 3, stride=2)
        # In the official code, the rate is that of one block after the last.
        depth = sum(config.repeats(stage.n) for stage in STAGES)
        drops = iter(drop_paths(config.drop_path, depth + 1))
        self.stages = nn.Sequential()
        for t, k, s, c, n in STAGES:
            stage, width = nn.Sequential(), config.channels(c)
            for i in range(config.repeats(n)):
                stride = s if i == 0 else 1
                stage.append(
                    MBConvBlock(channels, t, width, k, stride, next(drops), norm, activation)
                )
                channels = width
            self.stages.append(stage)
        features = config.channels(1280)
        self.head = conv(channels, features, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(features, config.num_classes)
        self.init_weights()

    def init_weights(self) -> None:
        """By fan-out; the classifier uniform in ±1/√(num_classes) (official code)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                bound = module.out_features**-0.5
                nn.init.uniform_(module.weight, -bound, bound)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.stem(images)  # (B, C', H', W')
        x = self.stages(x)  # (B, C', H', W')
        x = self.head(x)  # (B, F, H', W')
        x = self.pool(x).flatten(1)  # (B, F)
        return self.fc(self.dropout(x))  # (B, num_classes)


def example(config: EfficientNetConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W), as large as φ makes them."""
    return (torch.randn(batch, config.in_channels, config.resolution, config.resolution),)


def stages(config: EfficientNetConfig) -> dict[str, Any]:
    """The settings of the equivalent composition."""
    layers: dict[str, Any] = {"norm": config.norm, "activation": config.activation}
    blocks = (
        MBConv(
            depth=config.repeats(n),
            width=config.channels(c),
            expand_ratio=t,
            kernel_size=k,
            stride=s,
            **layers,
        )
        for t, k, s, c, n in STAGES
    )
    return {
        "stem": ConvStem(
            image_size=config.resolution,
            in_channels=config.in_channels,
            width=config.channels(32),
            **layers,
        ),
        "stages": (*blocks, Conv(width=config.channels(1280), kernel_size=1, **layers)),
        "head": PooledHead(num_classes=config.num_classes),
    }


def compound(
    width_mult: float,
    depth_mult: float,
    image_size: int,
    dropout: float,
    norm: type[nn.Module] = nn.BatchNorm2d,
) -> EfficientNetConfig:
    """A row of the official code's table, `efficientnet_params`."""
    return EfficientNetConfig(
        width_mult=width_mult,
        depth_mult=depth_mult,
        image_size=image_size,
        dropout=dropout,
        norm=norm,
    )


TORCHVISION = "torchvision, documentation of "

# fmt: off
PRESETS = (
    Preset("EfficientNet-B0", compound(1.0, 1.0, 224, 0.2), 5_288_548, TORCHVISION + "efficientnet_b0"),  # noqa: E501
    Preset("EfficientNet-B1", compound(1.0, 1.1, 240, 0.2), 7_794_184, TORCHVISION + "efficientnet_b1"),  # noqa: E501
    Preset("EfficientNet-B2", compound(1.1, 1.2, 260, 0.3), 9_109_994, TORCHVISION + "efficientnet_b2"),  # noqa: E501
    Preset("EfficientNet-B3", compound(1.2, 1.4, 300, 0.3), 12_233_232, TORCHVISION + "efficientnet_b3"),  # noqa: E501
    Preset("EfficientNet-B4", compound(1.4, 1.8, 380, 0.4), 19_341_616, TORCHVISION + "efficientnet_b4"),  # noqa: E501
    Preset("EfficientNet-B5", compound(1.6, 2.2, 456, 0.4, SlowBatchNorm), 30_389_784, TORCHVISION + "efficientnet_b5"),  # noqa: E501
    Preset("EfficientNet-B6", compound(1.8, 2.6, 528, 0.5, SlowBatchNorm), 43_040_704, TORCHVISION + "efficientnet_b6"),  # noqa: E501
    Preset("EfficientNet-B7", compound(2.0, 3.1, 600, 0.5, SlowBatchNorm), 66_347_960, TORCHVISION + "efficientnet_b7"),  # noqa: E501
    Preset("EfficientNet-B8", compound(2.2, 3.6, 672, 0.5, SlowBatchNorm), 87_413_142, "timm tf_efficientnet_b8"),  # noqa: E501
    Preset("EfficientNet-L2", compound(4.3, 5.3, 800, 0.5, SlowBatchNorm), 480_309_308, "timm tf_efficientnet_l2"),  # noqa: E501
)
# fmt: on

TABLE_2 = "Tan & Le 2019 (arXiv v5), Table 2"
ADVPROP = "Xie et al. 2020 (AdvProp), https://arxiv.org/abs/1911.09665"
NOISY_STUDENT = "Xie et al. 2020 (Noisy Student, 300M unlabelled images), Table 2"

FAMILY = Family(
    title="EfficientNet",
    config=EfficientNetConfig,
    model=EfficientNet,
    example=example,
    presets=PRESETS,
    stages=stages,
    guide=Guide(
        tasks=("classification",),
        data="medium",
        use_when="accuracy per parameter and per MAC counts, and pre-trained weights are useful",
        avoid_when="a GPU must be used well, or memory for training is short: ResNet or ConvNeXt",
        strengths=(
            "one number, φ, scales it from a phone to a server",
            "the accuracy of much larger networks of its day, at a fraction of their parameters",
            "pre-trained weights for every size; transfers well to small data sets",
        ),
        cost=(
            r"compute grows with depth, and with width² and resolution²: about $2^\phi$; "
            r"parameters with depth and width² alone, about $1.45^\phi$"
        ),
        related=("mobilenet", "convnext", "resnet"),
        results=(
            Result("EfficientNet-B0", "ImageNet-1k top-1", 77.1, "%", TABLE_2),
            Result("EfficientNet-B1", "ImageNet-1k top-1", 79.1, "%", TABLE_2),
            Result("EfficientNet-B2", "ImageNet-1k top-1", 80.1, "%", TABLE_2),
            Result("EfficientNet-B3", "ImageNet-1k top-1", 81.6, "%", TABLE_2),
            Result("EfficientNet-B4", "ImageNet-1k top-1", 82.9, "%", TABLE_2),
            Result("EfficientNet-B5", "ImageNet-1k top-1", 83.6, "%", TABLE_2),
            Result("EfficientNet-B6", "ImageNet-1k top-1", 84.0, "%", TABLE_2),
            Result("EfficientNet-B7", "ImageNet-1k top-1", 84.3, "%", TABLE_2),
            Result("EfficientNet-B8", "ImageNet-1k top-1", 85.5, "%", ADVPROP),
            Result("EfficientNet-L2", "ImageNet-1k top-1", 88.4, "%", NOISY_STUDENT),
        ),
    ),
)
