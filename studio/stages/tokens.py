"""Stages from tokens to tokens, and those that turn maps into tokens and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.encoder import EncoderBlock
from studio.blocks.norm import LayerNorm, RMSNorm
from studio.blocks.position import LearnedPosition
from studio.knobs import knob
from studio.stages.stage import Flow, Map, Stage, Tokens


class TokenStage(Stage[Tokens]):
    """A stage from tokens to tokens."""

    takes = Tokens


@dataclass(frozen=True, kw_only=True)
class Transformer(TokenStage):
    """Lets every token attend to every other, in pre-norm encoder blocks.

    Pre-norm encoder blocks (Dosovitskiy et al. 2021, eq. 2-3). (B, N, D) to (B, N, D).
    """

    depth: int = knob(4, "Blocks", axis="depth", ge=1, le=48)
    num_heads: int = knob(8, "Attention heads h; must divide the width", axis="heads", ge=1, le=64)
    mlp_ratio: float = knob(4.0, "Hidden width of the MLP over the width", ge=0.5, le=8.0, step=0.5)
    norm: type[nn.Module] = knob(LayerNorm, "Norm", options=(LayerNorm, RMSNorm))
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )

    def flow(self, x: Tokens) -> Tokens:
        if x.width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {x.width}"
            )
        return x.with_context()

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(
            *(
                EncoderBlock(
                    x.width,
                    self.num_heads,
                    round(self.mlp_ratio * x.width),
                    norm=self.norm,
                    activation=self.activation,
                    dropout=0.0,
                )
                for _ in range(self.depth)
            )
        )


@dataclass(frozen=True, kw_only=True)
class ToTokens(Stage[Map]):
    """Turns each pixel of a map into a token, so that attention can read it.

    (B, C, H, W) to (B, N, C), with N = H·W, or H·W + 1 with a class token.
    """

    takes = Map
    reads = "image"

    class_token: bool = knob(False, "Prepend a learned class token, which a head can read")
    position: bool = knob(True, "Add a learned position embedding")

    def flow(self, x: Map) -> Tokens:
        count = x.height * x.width
        if self.class_token:
            return Tokens(count + 1, x.channels, class_token=True)
        return Tokens(count, x.channels, (x.height, x.width))

    def build(self, x: Map) -> nn.Module:
        tokens = self.flow(x)
        layers: list[nn.Module] = [Flatten()]
        if self.class_token:
            layers.append(ClassToken(tokens.width))
        if self.position:
            layers.append(LearnedPosition(tokens.count, tokens.width))
        return nn.Sequential(*layers)


class Flatten(nn.Module):
    """Each pixel becomes a token. (B, C, H, W) -> (B, H·W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)  # (B, N, D)


class ClassToken(nn.Module):
    """Prepends a learned token (Dosovitskiy et al. 2021, eq. 1). (B, N, D) -> (B, N + 1, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        token = self.token.expand(x.shape[0], -1, -1)  # (B, 1, D)
        return torch.cat((token, x), dim=1)  # (B, N + 1, D)


@dataclass(frozen=True, kw_only=True)
class PrependClassToken(TokenStage):
    """Puts a learned token before the others, for ClassTokenHead to read.

    (B, N, D) to (B, N + 1, D). It carries nothing about the other tokens until attention, or a
    recurrence from the end, mixes them in.
    """

    def flow(self, x: Tokens) -> Tokens:
        return Tokens(x.count + 1, x.width, class_token=True, past=x.past)

    def build(self, x: Tokens) -> nn.Module:
        return ClassToken(x.width)


@dataclass(frozen=True, kw_only=True)
class ToMap(TokenStage):
    """Turns tokens back into a map; steps of a sequence become a map of height 1.

    (B, H·W, C) to (B, C, H, W).
    """

    @property
    def input_dims(self) -> str:
        return "(B, H·W, C)"

    def flow(self, x: Tokens) -> Map:
        return Map(x.width, *(x.grid or (1, x.count)))

    def missing_context(self, x: Flow) -> str:
        token = "ToMap needs tokens that are the pixels of a map, without a class token"
        return token if isinstance(x, Tokens) and x.class_token else ""

    def build(self, x: Tokens) -> nn.Module:
        return Unflatten(*(x.grid or (1, x.count)))


class Unflatten(nn.Module):
    """Each token becomes a pixel. (B, H·W, C) -> (B, C, H, W)."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        B, _, C = x.shape
        return x.transpose(1, 2).reshape(B, C, self.height, self.width)  # (B, C, H, W)
