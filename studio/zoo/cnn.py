r"""A convolutional network looks through a small window, and slides it over the whole image.

A 3 × 3 convolution computes each output pixel from its nine neighbours, with the *same* weights
everywhere. That is the whole idea: what was learned in one corner is known in every other, and a
layer needs only $9\,C\,C'$ weights however large the image is. Normalisation after each convolution
keeps the activations in range, the activation function makes the layer non-linear, and max pooling
keeps the largest value of every 2 × 2 pixels. After $L$ such blocks a pixel of the small map has
seen a large part of the image, and the $c\,2^{L-1}$ channels say *what* is there while the map
still says *where*.

**What to watch.** Each block halves the map and doubles the channels, so every block after the
first costs about as much compute as the one before and has four times its weights. Most weights are
not in the convolutions at all: the first linear layer reads the whole flattened map,
$c\,2^{L-1}\,(S/2^L)^2$ numbers for an image of side $S$. Double the resolution and that layer
becomes four times as large; add a block and it halves. That is why later networks (ResNet) average
the map instead of flattening it.

**Try.** Replace ReLU by Sigmoid or Tanh, switch normalisation off and add blocks. The slope of a
sigmoid is never above 1/4, so every layer that the gradient passes on its way back shrinks it, and
the first layers stop learning: gradients *vanish*. ReLU passes them on unchanged where its input is
positive.

Shapes: B batch, C channels, C' = c·2^(L-1) channels after L blocks, c base_channels, L depth,
H W image, H' = H/2^L, F = C'·H'·W' features.

Paper: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998,
https://doi.org/10.1109/5.726791; Simonyan & Zisserman, "Very Deep Convolutional Networks", ICLR
2015, https://arxiv.org/abs/1409.1556 (3 × 3 throughout); Ioffe & Szegedy, "Batch Normalization",
ICML 2015, https://arxiv.org/abs/1502.03167

Official code: none; the layout is that of introductory courses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import GroupNorm
from studio.family import Family, Guide, Preset
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class CNNConfig:
    """Hyper-parameters of a classic CNN."""

    depth: int = knob(3, "Blocks L; each halves the map", axis="depth", ge=1, le=6)
    convs_per_block: int = knob(1, "Convolutions in each block", axis="depth", ge=1, le=4)
    base_channels: int = knob(
        64,
        "Channels c of the first block; doubled with each block",
        axis="width",
        ge=8,
        le=256,
        step=8,
    )
    hidden_dim: int = knob(
        512, "Hidden width of the classifier", axis="width", ge=16, le=4096, step=16
    )
    image_size: int = knob(32, "Input height and width S", axis="resolution", ge=8, le=256, step=4)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(10, "Classes K", ge=1, le=30000)
    dropout: float = knob(0.5, "Dropout rate before each linear layer", ge=0.0, le=0.9, step=0.05)
    bias: bool = knob(True, "Bias in the convolutions (redundant before a norm)")
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm; Identity for none",
        options=(nn.BatchNorm2d, GroupNorm, nn.Identity),
    )
    activation: type[nn.Module] = knob(
        nn.ReLU,
        "Activation; gradients vanish behind Sigmoid and Tanh",
        options=(nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh),
    )

    def __post_init__(self) -> None:
        if self.image_size < 2**self.depth:
            raise ValueError(
                f"image_size={self.image_size} is smaller than 2^depth = {2**self.depth}"
                f" (depth={self.depth})"
            )


class ConvBlock(nn.Sequential):
    """Convolutions at one resolution, then 2 × 2 max pooling.

    (B, C, H, W) -> (B, C', H/2, W/2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_convs: int,
        bias: bool,
        norm: type[nn.Module],
        activation: type[nn.Module],
    ) -> None:
        widths = [in_channels] + [out_channels] * num_convs
        super().__init__(
            *(
                ConvNormAct(c, d, 3, padding=1, bias=bias, norm=norm, activation=activation)
                for c, d in pairwise(widths)
            ),
            nn.MaxPool2d(2),
        )


class CNN(nn.Module):
    """Blocks of convolutions, then a classifier of two linear layers on the flattened map."""

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        widths = [config.base_channels * 2**i for i in range(config.depth)]
        self.features = nn.Sequential(
            *(
                ConvBlock(c, d, config.convs_per_block, config.bias, config.norm, config.activation)
                for c, d in pairwise([config.in_channels, *widths])
            )
        )
        side = config.image_size // 2**config.depth  # pooling drops an odd last row and column
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(widths[-1] * side**2, config.hidden_dim),
            config.activation(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden_dim, config.num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes)."""
        x = self.features(images)  # (B, C', H', W')
        x = x.flatten(1)  # (B, F)
        return self.classifier(x)  # (B, num_classes)


def example(config: CNNConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


FORMULA = "sum over its layers: convolutions, norms, Linear(4096, 512), Linear(512, 10)"
OWN = "a size of our own, without a published count"

# fmt: off
PRESETS = (
    Preset("CNN 64-128-256", CNNConfig(), 2_474_506, FORMULA),
    Preset("CNN 64-128-256 without bias", CNNConfig(bias=False), 2_474_058, FORMULA),
    Preset("CNN 64-128-256 without norm", CNNConfig(norm=nn.Identity), 2_473_610, FORMULA),
    Preset("CNN 64-128-256 two convs", CNNConfig(convs_per_block=2), 3_249_994, FORMULA),
    Preset("CNN 64-128-256 two convs without norm", CNNConfig(convs_per_block=2, norm=nn.Identity), 3_248_202, FORMULA),  # noqa: E501
    Preset("CNN 32-64 @28 (MNIST)", CNNConfig(depth=2, base_channels=32, hidden_dim=128, image_size=28, in_channels=1), None, OWN),  # noqa: E501
    Preset("CNN 128-256-512", CNNConfig(base_channels=128), None, OWN),
    Preset("CNN 32-64-128-256-512 @128", CNNConfig(depth=5, base_channels=32, image_size=128), None, OWN),  # noqa: E501
)
# fmt: on

FAMILY = Family(
    title="Classic CNN",
    config=CNNConfig,
    model=CNN,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("classification",),
        data="small",
        use_when="the images are small, the classes few, and every layer should be understood",
        avoid_when="the images are large or the network must be deep: take a ResNet",
        strengths=(
            "few ideas, all visible: convolution, normalisation, activation, pooling",
            "trains in minutes on a laptop",
            "shift of the input shifts the features: little data is enough",
        ),
        cost=(
            r"a block of $n$ convolutions from $C$ to $C'$ channels: about $9C'(C + (n-1)C')$ "
            r"parameters, once for each pixel in MACs; the flattened map adds "
            r"$c\,2^{L-1}(S/2^L)^2$ parameters for each hidden unit"
        ),
        related=("resnet", "unet"),
    ),
)
