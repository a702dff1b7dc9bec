"""Heads: the last part of a composition, which computes its output."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from studio.blocks.norm import LayerNorm, RMSNorm
from studio.knobs import knob
from studio.stages.stage import Flow, In, Joined, Map, Stage, Tokens


class Head(Stage[In, *Joined]):
    """The last part. No stage reads its output, so `flow` returns the shape of its input."""

    reads = "image"

    def flow(self, x: In, *joined: *Joined) -> Flow:
        return x


@dataclass(frozen=True, kw_only=True)
class PooledHead(Head[Map]):
    """Classifies an image from the mean over all its pixels.

    Global average pooling and a linear layer. (B, C, H, W) to logits (B, K).
    """

    takes = Map

    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)
    norm: type[nn.Module] = knob(
        nn.Identity, "Norm after pooling (ConvNeXt), or none", options=(nn.Identity, LayerNorm)
    )

    def build(self, x: Map) -> nn.Module:
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(1),
            self.norm(x.channels),
            nn.Linear(x.channels, self.num_classes),
        )


@dataclass(frozen=True, kw_only=True)
class HiddenLayerHead(Head[Map]):
    """Classifies an image from the mean over all pixels, through a hidden layer (CoAtNet).

    Global average pooling, a norm, a hidden layer with tanh, and a linear layer.
    (B, C, H, W) to logits (B, K).
    """

    takes = Map

    hidden_dim: int = knob(768, "Features of the hidden layer", ge=8, le=8192, step=8)
    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)

    def build(self, x: Map) -> nn.Module:
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(1),
            LayerNorm(x.channels),
            nn.Linear(x.channels, self.hidden_dim),
            nn.Tanh(),
            nn.Linear(self.hidden_dim, self.num_classes),
        )


@dataclass(frozen=True, kw_only=True)
class ClassTokenHead(Head[Tokens]):
    """Classifies from the class token, which has attended to the others, as in ViT and BERT.

    A norm, and a linear layer on the first token. (B, N, D) to logits (B, K).
    """

    takes = Tokens

    num_classes: int = knob(1000, "Classes K", ge=1, le=100_000)
    norm: type[nn.Module] = knob(
        LayerNorm, "Norm before the linear layer", options=(LayerNorm, RMSNorm)
    )

    def missing_context(self, x: Flow) -> str:
        if not isinstance(x, Tokens) or (x.class_token and x.future):
            return ""
        if not x.class_token:
            return (
                f"ClassTokenHead needs a class token but gets {x} without one:"
                " use MeanTokenHead, or insert PrependClassToken and Transformer"
            )
        return (
            "ClassTokenHead reads only the class token, and no stage lets it see the tokens after"
            " it: insert Transformer, or use MeanTokenHead"
        )

    def build(self, x: Tokens) -> nn.Module:
        return nn.Sequential(self.norm(x.width), FirstToken(), nn.Linear(x.width, self.num_classes))


class FirstToken(nn.Module):
    """The first token. (B, N, D) -> (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]  # (B, D)
