r"""Cross-attention lets one kind of data ask another: here a picture asks the words about it.

Self-attention takes queries, keys and values from one sequence. Cross-attention takes the
**queries from one and the keys and values from another**,

$$\mathrm{softmax}\!\left(\frac{(X W^Q)(Y W^K)^\top}{\sqrt d}\right) Y W^V$$

so that every patch $x_i$ of the image gathers information from the sentence $Y$. The two need not
have the same length or modality; once both are tokens of width $D$, a picture can ask a sentence, a
robot's camera a command, a molecule a protein.

Two encoders make the tokens. The **image** is cut into patches, as in a ViT. The **text** is
embedded and read by a few encoder blocks of its own. Then $L$ *fusion blocks* work on the image
tokens, each with three sub-layers in the order of LXMERT's cross-modality layer (section 2.2):
attention to the text, attention among the patches, an MLP. The head predicts one of $K$ answers, as
in visual question answering, from the mean of all patches. LXMERT lets the text ask the image as
well; here one direction is enough to see how it works, and half the cost.

**The gate** is Flamingo's (section 2.2 there): what comes from the text is multiplied by
$\tanh(\alpha)$ with $\alpha = 0$ at the start. At the start the model is therefore an image model
that ignores the text, and it learns how much of it to use. That is how a pre-trained model is
extended without harm. (At the start only $\alpha$ has a gradient; the layers behind the closed gate
have none yet.)

**What to watch.** With $N$ patches and $M$ words cross-attention computes $N M$ scores; attention
over both in one sequence would compute $(N + M)^2$. Its keys and values depend on the text alone:
one question to many pictures can reuse them. This design is our own, small enough for a class; no
published weights fit it.

Shapes: B batch, C channels, H W image, P patch_size, N = HW/P² patches, M words (seq_len),
D embed_dim, h heads, d = D/h, K num_classes.

Paper: Tan & Bansal, "LXMERT: Learning Cross-Modality Encoder Representations from Transformers",
EMNLP 2019, https://arxiv.org/abs/1908.07490; Alayrac et al., "Flamingo: a Visual Language Model for
Few-Shot Learning", NeurIPS 2022, https://arxiv.org/abs/2204.14198

Official code: https://github.com/airsplay/lxmert (the order of the sub-layers; this model is ours)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.attention import SelfAttention
from studio.blocks.encoder import EncoderBlock
from studio.blocks.mlp import MLP
from studio.blocks.multihead import MultiHeadAttention
from studio.blocks.norm import LayerNorm, RMSNorm
from studio.blocks.position import LearnedPosition
from studio.family import Family, Guide, Preset
from studio.knobs import knob


class TanhGate(nn.Module):
    """x · tanh(α), closed at the start (Alayrac et al. 2022, Figure 4). Keeps the shape."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.alpha.tanh()


@dataclass(frozen=True, kw_only=True)
class CrossAttentionConfig:
    """Hyper-parameters of an image encoder that attends to text."""

    depth: int = knob(2, "Fusion blocks L", axis="depth", ge=1, le=32)
    text_depth: int = knob(2, "Encoder blocks for the text", axis="depth", ge=1, le=32)
    embed_dim: int = knob(
        128, "Token width D of image and text", axis="width", ge=32, le=2048, step=32
    )
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(4, "Attention heads h", axis="heads", ge=1, le=32)
    image_size: int = knob(64, "Input height and width", axis="resolution", ge=16, le=640, step=8)
    patch_size: int = knob(8, "Patch height and width P", axis="resolution", options=(4, 8, 16, 32))
    seq_len: int = knob(16, "Text length M in tokens", axis="resolution", ge=1, le=1024)
    vocab_size: int = knob(8192, "Vocabulary size of the text", ge=2, le=262144)
    num_classes: int = knob(10, "Classes K: possible answers", ge=1, le=30000)
    dropout: float = knob(0.1, "Dropout rate after each sub-layer", ge=0.0, le=0.9, step=0.05)
    gate: type[nn.Module] = knob(
        TanhGate,
        "Gate on the cross-attention, opening from 0; Identity for none",
        options=(TanhGate, nn.Identity),
    )
    norm: type[nn.Module] = knob(LayerNorm, "Norm", options=(LayerNorm, RMSNorm))

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size={self.image_size} must be a multiple of patch_size={self.patch_size}"
            )


class FusionBlock(nn.Module):
    """Cross-attention to the text, self-attention among the patches, an MLP.

    (B, N, D) and the text (B, M, D) -> (B, N, D).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        norm: type[nn.Module],
        gate: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm1 = norm(embed_dim)
        self.cross_attn = MultiHeadAttention(embed_dim, num_heads)
        self.gate = gate()
        self.norm2 = norm(embed_dim)
        self.self_attn = SelfAttention(embed_dim, num_heads)
        self.norm3 = norm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, nn.GELU, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        x = x + self.gate(self.dropout(self.cross_attn(self.norm1(x), text)))  # (B, N, D)
        x = x + self.dropout(self.self_attn(self.norm2(x)))  # (B, N, D)
        return x + self.mlp(self.norm3(x))  # (B, N, D)


class CrossAttentionEncoder(nn.Module):
    """Patches and words to tokens, a text encoder, L fusion blocks, a head on the mean patch."""

    def __init__(self, config: CrossAttentionConfig) -> None:
        super().__init__()
        D, P, h, norm = config.embed_dim, config.patch_size, config.num_heads, config.norm
        hidden, dropout = round(D * config.mlp_ratio), config.dropout
        self.patch_embed = nn.Conv2d(3, D, P, stride=P)
        self.patch_position = LearnedPosition((config.image_size // P) ** 2, D)
        self.word_embed = nn.Embedding(config.vocab_size, D)
        self.word_position = LearnedPosition(config.seq_len, D)
        self.dropout = nn.Dropout(dropout)
        self.text_blocks = nn.Sequential(
            *(
                EncoderBlock(D, h, hidden, norm=norm, activation=nn.GELU, dropout=dropout)
                for _ in range(config.text_depth)
            )
        )
        self.text_norm = norm(D)
        self.fusion_blocks = nn.ModuleList(
            FusionBlock(D, h, hidden, norm, config.gate, dropout) for _ in range(config.depth)
        )
        self.norm = norm(D)
        self.head = nn.Linear(D, config.num_classes)

    def forward(self, images: Tensor, words: Tensor) -> Tensor:
        """Images (B, 3, H, W) and words (B, M), to logits (B, num_classes)."""
        text = self.dropout(self.word_position(self.word_embed(words)))  # (B, M, D)
        text = self.text_norm(self.text_blocks(text))  # (B, M, D)
        x = self.patch_embed(images).flatten(2).transpose(1, 2)  # (B, N, D)
        x = self.dropout(self.patch_position(x))
        for block in self.fusion_blocks:
            x = block(x, text)
        x = self.norm(x).mean(dim=1)  # (B, D)
        return self.head(x)  # (B, K)


def example(config: CrossAttentionConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, 3, H, W) and of texts (B, M)."""
    return (
        torch.randn(batch, 3, config.image_size, config.image_size),
        torch.randint(config.vocab_size, (batch, config.seq_len)),
    )


def encoder(depth: int, text_depth: int, embed_dim: int, num_heads: int) -> CrossAttentionConfig:
    """A size for photographs and questions: ViT's patches, BERT's vocabulary, VQA's answers."""
    return CrossAttentionConfig(
        depth=depth,
        text_depth=text_depth,
        embed_dim=embed_dim,
        num_heads=num_heads,
        image_size=224,
        patch_size=16,
        seq_len=32,
        vocab_size=30522,
        num_classes=3129,
    )


OWN = "this studio; "

PRESETS = (
    Preset("Tiny", CrossAttentionConfig(), None, OWN + "a size that a laptop trains in class"),
    Preset("Small", encoder(6, 4, 384, 6), None, OWN + "as wide as ViT-S/16"),
    Preset("Base", encoder(12, 6, 768, 12), None, OWN + "as wide as ViT-B/16 and BERT-base"),
)

FAMILY = Family(
    title="Cross-Attention Encoder (image and text)",
    config=CrossAttentionConfig,
    model=CrossAttentionEncoder,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("multi-modal", "classification"),
        data="medium",
        use_when="an answer about one kind of data depends on another: a question on a picture",
        avoid_when="both must be searched against millions of others: encode each alone and "
        "compare two vectors",
        strengths=(
            "the two inputs need neither the same length nor the same kind",
            "the attention weights show which words a patch attends to",
            "with the gate it extends a model that was trained on images alone",
        ),
        cost=r"$16 D^2$ parameters a fusion block, $12 D^2$ a text block; with $N$ patches and $M$ "
        r"words $L (14 N D^2 + 2 M D^2 + 2 N^2 D + 2 N M D)$ MACs in fusion",
        related=("attention", "vit", "transformer"),
    ),
)
