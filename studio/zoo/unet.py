r"""A U-Net predicts a class for every pixel.

To know *what* a pixel shows, a network must see far around it, so it pools: each level halves the
map and doubles the channels. To know *where* the borders run, it needs every pixel, which pooling
discards. The U-Net has both: an *encoder* goes down, a *decoder* comes back up, and at each level a
*skip* passes the encoder's sharp map to the decoder. Drawn with the levels below one another, it
looks like the letter U.

**A level of the decoder, step by step**, since it is often implemented wrong. From below come $2C$
channels at half the size. Upsampling doubles the size and halves the channels to $C$. The skip adds
its $C$ channels by *concatenation*, so there are $2C$ again, and a double convolution brings them
down to $C$. Without that convolution, the next level would get twice the channels it was built for.

**What to watch.** Each level costs as much compute as the one above it, and four times its
parameters: depth costs weights. Resolution costs compute and memory: the full-size maps of the top
level are kept for their skips until the end, and fill most of the memory in training. Transposed
convolutions learn how to upsample, and can leave checkerboard patterns; bilinear interpolation
cannot, and has no parameters.

**Padded or valid.** The paper's convolutions are not padded: each loses a border of one pixel, an
image of 572 gives a mask of 388, and the skips are cropped to fit. So no prediction depends on
padded pixels. Most later code pads, so that the mask is as large as the image.

Shapes: B batch, C channels, C' channels after a layer, c base_channels, i level from 0 at the top,
H W image, H' W' map at a level (half of the level above, less the borders of valid convolutions).

Paper: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, https://arxiv.org/abs/1505.04597

Official code: https://lmb.informatik.uni-freiburg.de/people/ronneber/u-net/
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import GroupNorm
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


class UpSampling(nn.Module):
    """Doubles the height and width, before the skip of C channels is concatenated.

    (B, takes·C, H, W) -> (B, gives·C, 2H, 2W).
    """

    takes: int
    gives: int


class TransposedUp(UpSampling):
    """The paper's: a transposed convolution makes 2 × 2 pixels of each, with half the channels."""

    takes, gives = 2, 1

    def __init__(self, skip_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * skip_channels, skip_channels, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)  # (B, C', 2*H, 2*W)


class BilinearUp(UpSampling):
    """Interpolation only. The level below has to halve its channels, which is cheapest.

    Corners are aligned as in the code that the milesial presets are taken from.
    """

    takes, gives = 1, 1

    def __init__(self, skip_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)  # (B, C, 2*H, 2*W)


class BilinearConvUp(UpSampling):
    """Interpolation, then a 1 × 1 convolution to halve the channels."""

    takes, gives = 2, 1

    def __init__(self, skip_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = nn.Conv2d(2 * skip_channels, skip_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)  # (B, C, 2*H, 2*W)
        return self.conv(x)  # (B, C', 2*H, 2*W)


class WideBilinearUp(UpSampling):
    """Interpolation that keeps all channels: the double convolution reads three times the skip."""

    takes, gives = 2, 2

    def __init__(self, skip_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)  # (B, C, 2*H, 2*W)


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Hyper-parameters of a U-Net (Figure 1 of the paper: depth 4, base 64, valid, no norm)."""

    depth: int = knob(4, "Levels above the bottleneck", axis="depth", ge=1, le=5)
    base_channels: int = knob(
        64,
        "Channels c of the top level; doubled with each level",
        axis="width",
        ge=8,
        le=128,
        step=8,
    )
    image_size: int = knob(256, "Input height and width", axis="resolution", ge=32, le=1024, step=4)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)
    num_classes: int = knob(1, "Classes K: output channels", ge=1, le=1000)
    padding: bool = knob(True, "Pad the convolutions, so that the output has the input's size")
    bias: bool = knob(True, "Bias in the 3 × 3 convolutions (redundant before a norm)")
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm; GroupNorm suits small batches, Identity for none",
        options=(nn.BatchNorm2d, GroupNorm, nn.Identity),
    )
    up: type[UpSampling] = knob(
        TransposedUp,
        "Upsampling in the decoder",
        options=(TransposedUp, BilinearUp, BilinearConvUp, WideBilinearUp),
    )

    def __post_init__(self) -> None:
        border = 0 if self.padding else 4  # pixels that two 3 × 3 convolutions remove
        side, odd = self.image_size, False
        for _ in range(self.depth):
            odd = odd or (side - border) % 2 == 1
            side = (side - border) // 2
        if odd and not self.padding:
            raise ValueError(
                f"image_size={self.image_size} gives a map of odd size before one of the "
                f"depth={self.depth} poolings, which padding={self.padding} does not allow"
            )
        # The bottleneck needs 2 × 2 pixels for the variance of a norm, unpadded 4 × 4 to upsample.
        if side - border < max(2, border):
            raise ValueError(
                f"image_size={self.image_size} is too small for depth={self.depth} poolings "
                f"with padding={self.padding}"
            )


class DoubleConv(nn.Sequential):
    """Two 3 × 3 convolutions: (B, C, H, W) -> (B, C', H, W), each side 4 less when not padded."""

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        padding: int,
        bias: bool,
        norm: type[nn.Module],
    ) -> None:
        super().__init__(
            *(
                ConvNormAct(c, d, 3, padding=padding, bias=bias, norm=norm, activation=nn.ReLU)
                for c, d in ((in_channels, mid_channels), (mid_channels, out_channels))
            )
        )


def padded(x: Tensor, height: int, width: int) -> Tensor:
    """Zero padding to a larger size: (B, C, H', W') -> (B, C, height, width)."""
    rows, columns = height - x.shape[2], width - x.shape[3]
    if rows == columns == 0:
        return x
    left, top = columns // 2, rows // 2
    return F.pad(x, (left, columns - left, top, rows - top))  # (B, C, H, W)


def cropped(x: Tensor, height: int, width: int) -> Tensor:
    """Centre crop to a smaller size: (B, C, H', W') -> (B, C, height, width)."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]  # (B, C, H, W)


class Decoder(nn.Module):
    """One level up: up-sample, join the encoder's map, convolve twice.

    The skip may be larger. With padded convolutions that is a row or a column that pooling dropped,
    and the up-sampled map is padded to it, as in most PyTorch code; without, it is the border that
    the convolutions took off, and the skip is cropped, as in the paper.
    """

    def __init__(
        self,
        up: type[UpSampling],
        skip_channels: int,
        out_channels: int,
        padding: int,
        bias: bool,
        norm: type[nn.Module],
    ) -> None:
        super().__init__()
        joined = (1 + up.gives) * skip_channels
        self.padding = padding
        self.up = up(skip_channels)
        self.conv = DoubleConv(joined, skip_channels, out_channels, padding, bias, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)  # (B, C', H, W)
        if self.padding:
            x = padded(x, *skip.shape[2:])  # (B, C', H, W)
        else:
            skip = cropped(skip, *x.shape[2:])  # (B, C, H, W)
        x = torch.cat((skip, x), dim=1)  # (B, C + C', H, W)
        return self.conv(x)  # (B, C'', H', W')


class UNet(nn.Module):
    """Encoder, bottleneck, decoder with skips, and a 1 × 1 convolution to the classes."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        widths = [config.base_channels * 2**i for i in range(config.depth)]
        takes = config.up.takes
        # A level outputs the channels that the up-sampling above it reads; the top keeps its own.
        above = [widths[0], *(takes * width for width in widths)]
        layer = (int(config.padding), config.bias, config.norm)
        self.encoders = nn.ModuleList(
            DoubleConv(c, d, d, *layer)
            for c, d in zip([config.in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = DoubleConv(widths[-1], above[-1], above[-1], *layer)
        self.decoders = nn.ModuleList(
            Decoder(config.up, widths[i], above[i], *layer) for i in reversed(range(config.depth))
        )
        self.head = nn.Conv2d(widths[0], config.num_classes, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """Normal with σ = √(2/N), N inputs of a unit (section 3)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to K logits (B, K, H', W'): H' = H, smaller if not padded."""
        x, skips = images, []
        for encoder in self.encoders:
            x = encoder(x)  # (B, C', H', W')
            skips.append(x)
            x = self.pool(x)  # (B, C', H'/2, W'/2)
        x = self.bottleneck(x)  # (B, C', H', W')
        for decoder, skip in zip(self.decoders, reversed(skips), strict=True):
            x = decoder(x, skip)  # (B, C', H', W')
        return self.head(x)  # (B, K, H', W')


def example(config: UNetConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, config.in_channels, config.image_size, config.image_size),)


def original(
    in_channels: int, num_classes: int, image_size: int = 572, padding: bool = False
) -> UNetConfig:
    """Figure 1 of the paper: no normalisation, transposed convolutions."""
    return UNetConfig(
        image_size=image_size,
        in_channels=in_channels,
        num_classes=num_classes,
        padding=padding,
        norm=nn.Identity,
    )


def milesial(num_classes: int, up: type[UpSampling]) -> UNetConfig:
    """The most used PyTorch version: padded, BatchNorm, no bias; its images are of any size."""
    return UNetConfig(image_size=512, num_classes=num_classes, bias=False, up=up)


COUNTED = "Ronneberger et al. 2015, Figure 1, summed over the layers"
VARIANT = "the layers of Figure 1 with this change, summed"
MILESIAL = "https://github.com/milesial/Pytorch-UNet"
BRAIN = "https://github.com/mateuszbuda/brain-segmentation-pytorch"

# fmt: off
PRESETS = (
    Preset("U-Net BatchNorm 3->1", UNetConfig(), 31_043_521, VARIANT),
    Preset("U-Net BatchNorm 1->2", UNetConfig(in_channels=1, num_classes=2, bias=False), 31_036_546, VARIANT),  # noqa: E501
    Preset("U-Net original 1->2", original(1, 2), 31_030_658, COUNTED),
    Preset("U-Net original 1->1", original(1, 1), 31_030_593, COUNTED),
    Preset("U-Net original 3->1", original(3, 1), 31_031_745, COUNTED),
    Preset("U-Net padded 1->1", original(1, 1, 256, padding=True), 31_030_593, VARIANT),
    Preset("U-Net padded 3->1", original(3, 1, 256, padding=True), 31_031_745, VARIANT),
    Preset("U-Net padded 3->21 @512", original(3, 21, 512, padding=True), 31_033_045, VARIANT),
    Preset("U-Net milesial 3->2", milesial(2, TransposedUp), 31_037_698, MILESIAL),
    Preset("U-Net milesial 3->1", milesial(1, TransposedUp), 31_037_633, MILESIAL),
    Preset("U-Net milesial bilinear 3->2", milesial(2, BilinearUp), 17_263_042, MILESIAL),
    Preset("U-Net milesial bilinear 3->1", milesial(1, BilinearUp), 17_262_977, MILESIAL),
    Preset("U-Net bilinear 1x1", UNetConfig(bias=False, up=BilinearConvUp), 28_948_673, VARIANT),
    Preset("U-Net bilinear wide", UNetConfig(bias=False, up=WideBilinearUp), 31_384_833, VARIANT),
    Preset("U-Net-32 (brain MRI)", UNetConfig(base_channels=32, bias=False), 7_763_041, BRAIN),
    Preset("U-Net-16 1->1", UNetConfig(base_channels=16, in_channels=1, norm=nn.Identity), 1_940_817, VARIANT),  # noqa: E501
)
# fmt: on

TABLE_1 = "Ronneberger et al. 2015, Table 1 (EM segmentation challenge)"
TABLE_2 = "Ronneberger et al. 2015, Table 2 (ISBI cell tracking challenge 2015)"

FAMILY = Family(
    title="U-Net",
    config=UNetConfig,
    model=UNet,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("segmentation",),
        data="small",
        use_when="each pixel needs a label and borders matter: medical, satellite, defect masks",
        avoid_when="objects of one class must be told apart: that is instance segmentation",
        strengths=(
            "skips bring every border of the input to the output",
            "trained from a few dozen images, with strong augmentation",
            "fully convolutional: the same weights serve any image size",
        ),
        cost=(
            r"with $c$ base channels and depth $L$, transposed and padded: about $29.7\,c^2 4^L$ "
            r"parameters and $(42.5\,L + 13.5)\,c^2 H W$ MACs"
        ),
        related=("cnn", "resnet"),
        results=(
            Result("U-Net original 1->2", "EM warping error", 0.000353, "", TABLE_1),
            Result("U-Net original 1->2", "PhC-U373 IoU", 92.03, "%", TABLE_2),
            Result("U-Net original 1->2", "DIC-HeLa IoU", 77.56, "%", TABLE_2),
        ),
    ),
)
