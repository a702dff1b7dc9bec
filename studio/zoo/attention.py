r"""Self-attention lets every token of a sequence ask every other token a question.

Each token gives three vectors, all linear maps of itself: a *query* (what it looks for), a *key*
(what it is matched by) and a *value* (what it contributes). How well a query matches a key decides
how much of that value is taken (equation 1 of the paper):

$$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V$$

**Why divide by** $\sqrt d$? The product of a query and a key is a sum of $d$ terms. If each term
has variance 1, the sum has variance $d$: at $d = 64$ it swings by ±8, the softmax puts nearly all
its weight on one token, and its gradient vanishes. Dividing by $\sqrt d$ brings the variance back
to 1 whatever the width.

**What heads cost: nothing.** $h$ heads split the width $D$ into $h$ parts of $d = D/h$, and each
part attends on its own. The maps stay $D \times D$, the products still sum over $D$ features in
total: move the slider, and neither parameters nor MACs change. What changes is how many different
queries a token has, and how many dimensions each query has.

**What length costs:** $N$ tokens attend to $N$ tokens, so the scores grow with $N^2$ (a fused
kernel computes them without ever storing them all), while all the linear layers grow with $N$. Per
block that is $12 N D^2$ multiplications in linear layers (with an MLP four times as wide) and $2
N^2 D$ in attention: the square takes over at $N = 6D$.

Attention does not see order: shuffle the tokens and the same outputs come out, shuffled. Positions
are therefore added to the embeddings, as fixed waves or as learned vectors. The blocks here
normalise *before* each sub-layer, which trains at any depth; the paper normalised after. The head
reads the mean of all tokens; sequences are assumed to be full, without padding.

Shapes: B batch, N tokens (seq_len), D embed_dim, h heads, d = D/h, K classes.

Paper: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, https://arxiv.org/abs/1706.03762

Official code: https://github.com/tensorflow/tensor2tensor
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.encoder import EncoderBlock
from studio.blocks.norm import LayerNorm, RMSNorm
from studio.blocks.position import LearnedPosition, SinusoidalPosition
from studio.family import Family, Guide, Preset
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Hyper-parameters of a self-attention encoder (section 3 and Table 3 of the paper)."""

    depth: int = knob(6, "Encoder blocks (the paper's N)", axis="depth", ge=1, le=128)
    embed_dim: int = knob(
        256, "Token width D (d_model)", axis="width", ge=64, le=16384, step=64, multiple=2
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
    num_heads: int = knob(8, "Attention heads h", axis="heads", ge=1, le=128)
    seq_len: int = knob(128, "Sequence length N", axis="resolution", ge=16, le=8192, step=16)
    vocab_size: int = knob(8192, "Vocabulary size", ge=2, le=262144)
    num_classes: int = knob(2, "Classes K", ge=1, le=30000)
    dropout: float = knob(
        0.1,
        "Dropout rate after the embeddings, each sub-layer, and the MLP's activation",
        ge=0.0,
        le=0.9,
        step=0.05,
    )
    position: type[nn.Module] = knob(
        SinusoidalPosition,
        "Position embedding",
        options=(SinusoidalPosition, LearnedPosition),
    )
    norm: type[nn.Module] = knob(LayerNorm, "Norm", options=(LayerNorm, RMSNorm))
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")


class AttentionEncoder(nn.Module):
    """Embeddings plus positions, a stack of encoder blocks, a linear head on the mean token."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        D = config.embed_dim
        # The paper draws with variance 1/D and multiplies by √D (3.4); torch draws with 1.
        self.token_embed = nn.Embedding(config.vocab_size, D)
        self.position = config.position(config.seq_len, D)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(
                    D,
                    config.num_heads,
                    round(D * config.mlp_ratio),
                    norm=config.norm,
                    activation=config.activation,
                    dropout=config.dropout,
                )
                for _ in range(config.depth)
            )
        )
        self.norm = config.norm(D)
        self.head = nn.Linear(D, config.num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) as whole numbers below vocab_size, to logits (B, num_classes)."""
        x = self.token_embed(tokens)  # (B, N, D)
        x = self.dropout(self.position(x))
        x = self.norm(self.blocks(x))
        x = x.mean(dim=1)  # (B, D)
        return self.head(x)  # (B, K)


def example(config: AttentionConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of token sequences (B, N)."""
    return (torch.randint(config.vocab_size, (batch, config.seq_len)),)


TINY = AttentionConfig()

# Table 3: the encoder halves, with the vocabulary of 37,000 pieces of section 5.1.
BASE = AttentionConfig(
    depth=6, embed_dim=512, num_heads=8, seq_len=256, vocab_size=37000, activation=nn.ReLU
)

BIG = AttentionConfig(
    depth=6,
    embed_dim=1024,
    num_heads=16,
    seq_len=256,
    vocab_size=37000,
    dropout=0.3,
    activation=nn.ReLU,
)

BERT_BASE = AttentionConfig(
    depth=12,
    embed_dim=768,
    num_heads=12,
    seq_len=512,
    vocab_size=30522,
    position=LearnedPosition,
)

GPT_3 = AttentionConfig(
    depth=96,
    embed_dim=12288,
    num_heads=96,
    seq_len=2048,
    vocab_size=50257,
    position=LearnedPosition,
)

# fmt: off
PRESETS = (
    Preset("Tiny (6 × 256)", TINY, None, "a size that a laptop trains in class"),
    Preset("Base shape (6 × 512)", BASE, None, "the encoder of Vaswani et al. 2017, Table 3, base"),
    Preset("Big shape (6 × 1024)", BIG, None, "the encoder of Vaswani et al. 2017, Table 3, big"),
    Preset("BERT-base shape (12 × 768)", BERT_BASE, None, "Devlin et al. 2019, section 3"),
    Preset("GPT-3 shape (96 × 12288)", GPT_3, None, "Brown et al. 2020, Table 2.1, 175B; here every token sees all others"),  # noqa: E501
)
# fmt: on

FAMILY = Family(
    title="Self-Attention Encoder",
    config=AttentionConfig,
    model=AttentionEncoder,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language",),
        data="large",
        use_when="an answer depends on distant tokens, and the whole sequence is available at once",
        avoid_when="sequences are very long or arrive step by step: attention pays N² for them",
        strengths=(
            "any two tokens are one step apart, whatever their distance",
            "all tokens are computed at once: no loop over time",
            "the same block scales from a laptop to GPT-3",
        ),
        cost=r"$12 L D^2$ parameters besides the embedding; $L(12 N D^2 + 2 N^2 D)$ MACs",
        related=("vit", "recurrent"),
    ),
)
