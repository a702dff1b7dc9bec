"""Stems: the first part of a composition, which reads the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.conv import ConvChain
from studio.blocks.norm import GroupNorm, LayerNorm2d, SlowBatchNorm
from studio.blocks.position import LearnedPosition
from studio.blocks.resnet_backbone import ImageNetStem
from studio.blocks.weight_standardisation import StandardisedStem
from studio.knobs import knob
from studio.stages.stage import Flow, Map, Tokens


class Stem(ABC):
    """The first part of a composition. It knows the shape of the input."""

    @abstractmethod
    def example(self, batch: int) -> Tensor:
        """A random input of so many examples."""

    @abstractmethod
    def flow(self) -> Flow:
        """The shape of the output."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The module, from the input to the output."""

    def input_flow(self) -> Flow | None:
        """The shape of the input; None if no stage can join it."""
        return None


@dataclass(frozen=True, kw_only=True)
class SquareImageStem(Stem):
    """A stem for square images: (B, C, H, W) to a map (B, width, H/stride, W/stride)."""

    image_size: int = knob(224, "Input height and width", axis="resolution", ge=8, le=1024)
    in_channels: int = knob(3, "Input channels C", ge=1, le=16)

    def example(self, batch: int) -> Tensor:
        return torch.randn(batch, self.in_channels, self.image_size, self.image_size)

    def input_flow(self) -> Map:
        return Map(self.in_channels, self.image_size, self.image_size)


@dataclass(frozen=True, kw_only=True)
class ConvStem(SquareImageStem):
    """Turns the image into a first feature map with convolutions; the first has the stride."""

    width: int = knob(64, "Output channels", axis="width", ge=4, le=1024, step=4)
    depth: int = knob(1, "Convolutions", ge=1, le=4)
    kernel_size: int = knob(3, "Kernel size", ge=1, le=11)
    stride: int = knob(2, "Stride of the first convolution", ge=1, le=8)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d,
        "Norm after each convolution",
        options=(nn.BatchNorm2d, SlowBatchNorm, GroupNorm, nn.Identity),
    )
    activation: type[nn.Module] = knob(
        nn.ReLU, "Activation", options=(nn.ReLU, nn.GELU, nn.SiLU, nn.ReLU6, nn.Hardswish)
    )

    def __post_init__(self) -> None:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")

    def flow(self) -> Flow:
        side = -(-self.image_size // self.stride)
        return Map(self.width, side, side)

    def build(self) -> nn.Module:
        return ConvChain(
            self.in_channels,
            self.width,
            self.depth,
            self.kernel_size,
            self.stride,
            norm=self.norm,
            activation=self.activation,
        )


@dataclass(frozen=True, kw_only=True)
class ConvPoolStem(SquareImageStem):
    """Shrinks the image fourfold with a 7 × 7 convolution and a max pooling, as ResNet does.

    The convolution and the max pooling each have stride 2 (He et al. 2016).
    """

    width: int = knob(64, "Output channels", axis="width", ge=4, le=1024, step=4)
    norm: type[nn.Module] = knob(
        nn.BatchNorm2d, "Norm after the convolution", options=(nn.BatchNorm2d, GroupNorm)
    )

    def flow(self) -> Flow:
        side = -(-self.image_size // 4)
        return Map(self.width, side, side)

    def build(self) -> nn.Module:
        return ImageNetStem(self.in_channels, self.width, self.norm)


@dataclass(frozen=True, kw_only=True)
class StandardisedConvStem(SquareImageStem):
    """Shrinks the image fourfold with a standardised convolution, as the hybrid ViT does.

    A 7 × 7 convolution with weight standardisation and a max pooling, each with stride 2. Padding
    is TensorFlow's: more at the end than at the beginning.
    """

    width: int = knob(64, "Output channels", axis="width", ge=4, le=1024, step=4)
    norm: type[nn.Module] = knob(
        GroupNorm, "Norm after the convolution", options=(GroupNorm, nn.BatchNorm2d)
    )

    def flow(self) -> Flow:
        side = -(-self.image_size // 4)
        return Map(self.width, side, side)

    def build(self) -> nn.Module:
        return StandardisedStem(self.in_channels, self.width, self.norm)


@dataclass(frozen=True, kw_only=True)
class PreNormStem(SquareImageStem):
    """Halves the image with two 3 × 3 convolutions, as CoAtNet does.

    Nothing follows the second convolution, since CoAtNet's stages begin with a norm.
    """

    width: int = knob(64, "Output channels", axis="width", ge=4, le=1024, step=4)
    activation: type[nn.Module] = knob(
        nn.GELU,
        "Activation between the convolutions",
        options=(nn.GELU, nn.SiLU, nn.ReLU, nn.Hardswish),
    )

    def flow(self) -> Flow:
        side = -(-self.image_size // 2)
        return Map(self.width, side, side)

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(self.width),
            self.activation(),
            nn.Conv2d(self.width, self.width, 3, padding=1, bias=False),
        )


@dataclass(frozen=True, kw_only=True)
class PatchStem(SquareImageStem):
    """Cuts the image into square patches and maps each to its channels, as ConvNeXt and ViT do.

    A convolution whose stride is its kernel size.
    """

    width: int = knob(96, "Output channels", axis="width", ge=8, le=4096, step=8)
    patch_size: int = knob(4, "Height and width P of a patch", axis="resolution", ge=2, le=64)
    norm: type[nn.Module] = knob(
        nn.Identity,
        "Norm after the convolution (ConvNeXt), or none",
        options=(nn.Identity, LayerNorm2d),
    )

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size={self.image_size} must be a multiple of patch_size={self.patch_size}"
            )

    def flow(self) -> Flow:
        side = self.image_size // self.patch_size
        return Map(self.width, side, side)

    def build(self) -> nn.Module:
        patches = nn.Conv2d(self.in_channels, self.width, self.patch_size, self.patch_size)
        return nn.Sequential(patches, self.norm(self.width))


@dataclass(frozen=True, kw_only=True)
class TokenStem(Stem):
    """Embeds the tokens of a text and adds a learned position embedding.

    (B, N) to tokens (B, N, D).
    """

    vocab_size: int = knob(30_522, "Vocabulary size", ge=2, le=262_144)
    seq_len: int = knob(128, "Sequence length N", axis="resolution", ge=1, le=4096)
    embed_dim: int = knob(256, "Features of a token D", axis="width", ge=8, le=4096, step=8)

    def example(self, batch: int) -> Tensor:
        return torch.randint(self.vocab_size, (batch, self.seq_len))

    def flow(self) -> Flow:
        return Tokens(self.seq_len, self.embed_dim)

    def build(self) -> nn.Module:
        embedding = nn.Embedding(self.vocab_size, self.embed_dim)
        return nn.Sequential(embedding, LearnedPosition(self.seq_len, self.embed_dim))
