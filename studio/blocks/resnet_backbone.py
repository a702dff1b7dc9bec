"""A ResNet without its head: the maps that segmenters and detectors build on."""

from __future__ import annotations

from torch import Tensor, nn

from studio.blocks.residual import Bottleneck, ResidualUnit


class ResNetStem(nn.Module):
    """The layers before the first stage: (B, C, H, W) -> (B, width, H/stride, W/stride)."""

    stride: int


class ImageNetStem(ResNetStem):
    """A 7 × 7 convolution and a max pooling, each of stride 2: large images shrink four-fold."""

    stride = 4

    def __init__(self, in_channels: int, width: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.norm = norm(width)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(images)))  # (B, C', H/2, W/2)
        return self.pool(x)  # (B, C', H/4, W/4)


class BottleneckStage(nn.Sequential):
    """Bottleneck units of equal width; the first has the stride, or the previous dilation.

    (B, C, H, W) -> (B, 4·width, H/stride, W/stride).
    """

    def __init__(
        self,
        depth: int,
        in_channels: int,
        width: int,
        stride: int,
        norm: type[nn.Module],
        dilations: tuple[int, int],
    ) -> None:
        first, rest = dilations
        super().__init__(
            ResidualUnit(Bottleneck, in_channels, width, stride, norm, first),
            *(ResidualUnit(Bottleneck, 4 * width, width, 1, norm, rest) for _ in range(depth - 1)),
        )


class ResNetBackbone(nn.Module):
    """Stem and four stages of a ResNet with bottlenecks: the maps among C2 ... C5 listed in `maps`.

    C_i has H/2^i × W/2^i pixels, as Lin et al. 2017 count, and 2^i · `base_channels` channels. No
    map is coarser than 1/`output_stride`: a stage that would be coarser dilates its kernels
    instead of using a stride, which keeps the receptive field (Chen et al. 2017, section 3.1).
    (B, C, H, W) -> {i: C_i}.
    """

    def __init__(
        self,
        in_channels: int,
        base_channels: int,
        depths: tuple[int, ...],
        norm: type[nn.Module],
        maps: tuple[int, ...],
        output_stride: int = 32,
    ) -> None:
        super().__init__()
        self.maps = maps
        self.stem = ImageNetStem(in_channels, base_channels, norm)
        self.stages = nn.ModuleList()
        channels, reduction, dilation = base_channels, 4, 1
        for i, depth in enumerate(depths):
            width, stride, before = base_channels * 2**i, 1 if i == 0 else 2, dilation
            if reduction * stride > output_stride:
                dilation, stride = dilation * stride, 1
            self.stages.append(
                BottleneckStage(depth, channels, width, stride, norm, (before, dilation))
            )
            channels, reduction = 4 * width, reduction * stride
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # as in a ResNet that is trained from scratch
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        x = self.stem(images)  # (B, c, H', W')
        found = {}
        for i, stage in enumerate(self.stages, start=2):
            x = stage(x)  # (B, C', H', W')
            if i in self.maps:
                found[i] = x
        return found
