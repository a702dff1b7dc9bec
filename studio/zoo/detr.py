r"""DETR predicts the set of objects in an image directly, with a hundred learned queries.

Detectors before it placed a hundred thousand boxes on the image, classified each, and removed
duplicates by a hand-written rule. DETR predicts the *set* itself. A ResNet makes a coarse map, a
transformer encoder lets its pixels attend to one another, and a decoder turns $Q = 100$ learned
*object queries* into $Q$ predictions, each a class and a box. There are more queries than objects:
most predict "no object", an additional class.

**Why no duplicates.** In training, every true object is matched with exactly one prediction, by the
cheapest one-to-one assignment (the Hungarian algorithm, equation 1); all others are trained to
predict "no object". So a second box on the same dog is an error, and the queries, which attend to
one another in the decoder's self-attention, learn to predict different objects. There is no
suppression to implement and no anchor to tune: `postprocess` only sorts.

**Where is a pixel?** Attention ignores order. The map's sine positions, half of the features for
$y$ and half for $x$, are added to queries and keys *in every layer*, and not to the values: they
tell where to look, not what is there. A query has no position; its learned embedding is added the
same way (Figure 10).

**What to watch.** The map is 1/32 of the image, so small objects are lost; DC5 dilates the last
stage in place of its stride: four times the tokens and twice the compute, for a point of AP. Each
layer of the encoder costs $N^2$ in the number of pixels of that map. Training is slow: 500 epochs
in the paper. As in its code, batch normalisation is frozen, and so are the stem and the first
stage: they count as parameters, but not as trainable ones.

Shapes: B batch, C channels, H W image, c channels of C5, h w its size, N = h·w tokens, Q
num_queries, D embed_dim, K num_classes, n heads, d = D/n.

Paper: Carion et al., "End-to-End Object Detection with Transformers", ECCV 2020, https://arxiv.org/abs/2005.12872

Official code: https://github.com/facebookresearch/detr
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.boxes import corners_of, rows
from studio.blocks.mlp import MLP
from studio.blocks.norm import FrozenBatchNorm
from studio.blocks.resnet_backbone import ResNetBackbone
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class DETRConfig:
    """Hyper-parameters of a DETR (section 4 and appendix A.4 of the paper)."""

    encoder_depth: int = knob(6, "Encoder layers", axis="depth", ge=1, le=12)
    decoder_depth: int = knob(6, "Decoder layers", axis="depth", ge=1, le=12)
    embed_dim: int = knob(256, "Token width D", axis="width", ge=32, le=1024, step=32, multiple=4)
    mlp_ratio: float = knob(
        8.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(8, "Attention heads n", axis="heads", ge=1, le=32)
    num_queries: int = knob(100, "Object queries Q: most detections per image", ge=1, le=900)
    depths: tuple[int, ...] = knob(
        (3, 4, 6, 3), "Blocks in each stage of the ResNet", axis="depth", ge=1, le=40
    )
    base_channels: int = knob(
        64, "Channels of the ResNet's first stage", axis="width", ge=8, le=128, step=8
    )
    dilation: bool = knob(False, "Dilation in place of the stride of the last stage (DC5)")
    image_size: int = knob(800, "Input height and width", axis="resolution", ge=64, le=1344, step=2)
    activation: type[nn.Module] = knob(
        nn.ReLU, "Activation of the transformer", options=(nn.ReLU, nn.GELU)
    )
    dropout: float = knob(0.1, "Dropout rate in the transformer", ge=0.0, le=0.9, step=0.05)
    num_classes: int = knob(91, "Classes K, without the added 'no object' class", ge=1, le=2000)

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")


class SinePosition(nn.Module):
    """Where each pixel of a map is: sines and cosines of y in D/2 features, of x in the other D/2.

    Both run from 0 to 2π over the map, whatever its size (appendix A.4). (B, D, h, w) -> (N, D).
    """

    period: Tensor

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        half = embed_dim // 2
        period = 10000.0 ** (torch.arange(0, half, 2) / half)
        self.register_buffer("period", period, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones_like(x[0, 0])  # (h, w)
        place = torch.cat((self.waves(ones, 0), self.waves(ones, 1)), dim=2)  # (h, w, D)
        return place.flatten(0, 1)  # (N, D)

    def waves(self, ones: Tensor, dim: int) -> Tensor:
        """The D/2 features of each pixel's place along a side: (h, w) -> (h, w, D/2)."""
        place = ones.cumsum(dim) * (2 * math.pi / (ones.shape[dim] + 1e-6))
        angle = place.unsqueeze(2) / self.period
        return torch.stack((angle.sin(), angle.cos()), dim=3).flatten(2)


class DETRAttention(nn.Module):
    """Multi-head attention whose queries, keys and values may come from three places.

    (B, T, D), (B, S, D) and (B, S, D) -> (B, T, D).
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.k_proj = nn.Linear(embed_dim, embed_dim)
        self.v_proj = nn.Linear(embed_dim, embed_dim)
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.o_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q = self.heads(self.q_proj(query))  # (B, n, T, d)
        k = self.heads(self.k_proj(key))  # (B, n, S, d)
        v = self.heads(self.v_proj(value))  # (B, n, S, d)
        x = F.scaled_dot_product_attention(  # (B, n, T, d)
            q, k, v, dropout_p=self.dropout if self.training else 0.0
        )
        x = x.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.o_proj(x)  # (B, T, D)

    def heads(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, n, T, d)."""
        return x.view(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)


class DETREncoderLayer(nn.Module):
    """Self-attention and an MLP, each followed by its norm; positions join queries and keys.

    (B, N, D) with positions (N, D) -> (B, N, D).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.attn = DETRAttention(embed_dim, num_heads, dropout)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, activation, dropout)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        placed = x + position  # (B, N, D)
        x = self.norm1(x + self.dropout(self.attn(placed, placed, x)))  # (B, N, D)
        return self.norm2(x + self.mlp(x))  # (B, N, D)


class DETRDecoderLayer(nn.Module):
    """Self-attention among the queries, cross-attention to the image, an MLP.

    (B, Q, D) with query embeddings (Q, D), memory (B, N, D) and its positions (N, D) -> (B, Q, D).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.attn = DETRAttention(embed_dim, num_heads, dropout)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.cross_attn = DETRAttention(embed_dim, num_heads, dropout)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, activation, dropout)
        self.norm3 = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, position: Tensor) -> Tensor:
        asked = x + queries  # (B, Q, D)
        x = self.norm1(x + self.dropout(self.attn(asked, asked, x)))  # (B, Q, D)
        seen = self.cross_attn(x + queries, memory + position, memory)  # (B, Q, D)
        x = self.norm2(x + self.dropout(seen))  # (B, Q, D)
        return self.norm3(x + self.mlp(x))  # (B, Q, D)


class DETR(nn.Module):
    """Backbone, encoder, decoder, and two heads that every query shares (Figure 2)."""

    def __init__(self, config: DETRConfig) -> None:
        super().__init__()
        D, norm = config.embed_dim, FrozenBatchNorm
        layer = (
            D,
            config.num_heads,
            round(D * config.mlp_ratio),
            config.activation,
            config.dropout,
        )
        self.backbone = ResNetBackbone(
            3,
            config.base_channels,
            config.depths,
            norm,
            maps=(5,),
            output_stride=16 if config.dilation else 32,
        )
        self.position = SinePosition(D)
        self.queries = nn.Embedding(config.num_queries, D)
        self.input_proj = nn.Conv2d(32 * config.base_channels, D, 1)
        self.encoder = nn.ModuleList(DETREncoderLayer(*layer) for _ in range(config.encoder_depth))
        self.decoder = nn.ModuleList(DETRDecoderLayer(*layer) for _ in range(config.decoder_depth))
        self.norm = nn.LayerNorm(D)
        self.class_head = nn.Linear(D, config.num_classes + 1)
        self.box_head = nn.Sequential(
            nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D), nn.ReLU(), nn.Linear(D, 4)
        )
        for part in (self.backbone.stem, self.backbone.stages[0]):  # as in the official code
            part.requires_grad_(False)
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier in the matrices of encoder and decoder (section 4)."""
        for weight in (*self.encoder.parameters(), *self.decoder.parameters()):
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, C, H, W) to `logits` (B, Q, K + 1) and `boxes` (B, Q, 4).

        A box is (centre x, centre y, width, height), each relative to the image size.
        """
        x = self.input_proj(self.backbone(images)[5])  # (B, D, h, w)
        position = self.position(x)  # (N, D)
        x = x.flatten(2).transpose(1, 2).contiguous()  # (B, N, D)
        for encoder in self.encoder:
            x = encoder(x, position)  # (B, N, D)
        queries = self.queries.weight  # (Q, D)
        answers = torch.zeros_like(queries).expand(len(x), -1, -1)  # (B, Q, D)
        for decoder in self.decoder:
            answers = decoder(answers, queries, x, position)  # (B, Q, D)
        answers = self.norm(answers)  # (B, Q, D)
        return {"logits": self.class_head(answers), "boxes": self.box_head(answers).sigmoid()}

    def postprocess(
        self, outputs: dict[str, Tensor], height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (B, Q), labels (B, Q) and corners (x1, y1, x2, y2) in pixels, best first."""
        scores, labels = outputs["logits"].softmax(dim=2)[..., :-1].max(dim=2)
        scores, order = scores.sort(dim=1, descending=True)
        pixels = outputs["boxes"].new_tensor((width, height, width, height))
        boxes = corners_of(outputs["boxes"]) * pixels
        return scores, labels.gather(1, order), rows(boxes, order)


def example(config: DETRConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W)."""
    return (torch.randn(batch, 3, config.image_size, config.image_size),)


R50 = DETRConfig()
R101 = DETRConfig(depths=(3, 4, 23, 3))
OFFICIAL = "https://github.com/facebookresearch/detr, counted; 222,400 of them are frozen"
R50_PARAMS = 41_524_768
R101_PARAMS = 60_464_672

PRESETS = (
    Preset("DETR-R50", R50, R50_PARAMS, OFFICIAL),
    Preset("DETR-R50-DC5", replace(R50, dilation=True), R50_PARAMS, OFFICIAL),
    Preset("DETR-R101", R101, R101_PARAMS, OFFICIAL),
    Preset("DETR-R101-DC5", replace(R101, dilation=True), R101_PARAMS, OFFICIAL),
)

TABLE_1 = "Carion et al. 2020, Table 1"

FAMILY = Family(
    title="DETR",
    config=DETRConfig,
    model=DETR,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("detection",),
        data="large",
        use_when="detection must work without anchors, suppression or other hand-written rules",
        avoid_when="objects are small, training must be short, or frames come fast: take a YOLO",
        strengths=(
            "predicts the set of objects directly: training and inference use the same outputs",
            "every query sees the whole image: strong on large objects and on context",
            "the same plain transformer takes other outputs, such as masks",
        ),
        cost=(
            r"with $N = HW/32^2$ tokens an encoder layer costs $20 N D^2 + 2 N^2 D$ MACs (MLP "
            r"ratio 8), and the decoder little; the backbone does most of the work"
        ),
        related=("resnet", "faster_rcnn", "yolo", "transformer"),
        results=(
            Result("DETR-R50", "COCO val box AP", 42.0, "%", TABLE_1),
            Result("DETR-R50-DC5", "COCO val box AP", 43.3, "%", TABLE_1),
            Result("DETR-R101", "COCO val box AP", 43.5, "%", TABLE_1),
            Result("DETR-R101-DC5", "COCO val box AP", 44.9, "%", TABLE_1),
        ),
    ),
)
