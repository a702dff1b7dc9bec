r"""The Transformer translates without recurrence and without convolution: attention does it all.

An **encoder** turns the source sentence into a memory, one vector per word, each computed from all
others. A **decoder** writes the target one word at a time; each of its layers looks at what has
been written (causal self-attention) and then at the memory (cross-attention: the queries are the
decoder's, the keys and values the encoder's). The paper names the three uses in section 3.2.3.

In training the decoder gets the whole target, shifted right by one, and a causal mask hides from
each position what comes after it. So all positions train at once, which made the Transformer faster
to train than recurrent networks. In translation the decoder runs once for every word it writes.

**Post-norm.** The paper normalises *after* adding: $x \leftarrow \mathrm{LayerNorm}(x +
\mathrm{Sublayer}(x))$. The signal then passes a norm at every layer, gradients near the output are
large at the start, and training needs a slow warm-up. Pre-norm, $x \leftarrow x +
\mathrm{Sublayer}(\mathrm{LayerNorm}(x))$, leaves the residual sum untouched and trains at any
depth, which is why later models use it; it needs one more norm after each stack.

**Which matrices are shared?** There are three of size $V \times D$: the embedding of the source, of
the target, and the map before the softmax. The paper uses **one matrix for all three** (section
3.4, with a vocabulary common to both languages), and multiplies it by $\sqrt D$ where it embeds.
`shared_embed` shares source and target, `tied_head` target and output. The choice decides the size:
base has 44.1 million parameters in its layers, and 18.9 million more for each matrix. Published as
"65M" with one matrix of about 37,000 pieces, it counts 63.1 million with exactly 37,000, and 101
million with three.

Positions are fixed sine and cosine waves, added once. Sequences are assumed to be full, without
padding.

Shapes: B batch, N source tokens (seq_len), T target tokens (target_len), D embed_dim, h heads,
d = D/h, V vocab_size.

Paper: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, https://arxiv.org/abs/1706.03762

Official code: https://github.com/tensorflow/tensor2tensor
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.mlp import MLP
from studio.blocks.multihead import MultiHeadAttention
from studio.blocks.norm import LayerNorm
from studio.blocks.position import SinusoidalPosition
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


class PostNorm(nn.Module):
    """LayerNorm(x + Sublayer(x)): the residual connection of the paper (section 3.1)."""

    def __init__(self, embed_dim: int, sublayer: nn.Module, dropout: float) -> None:
        super().__init__()
        self.sublayer = sublayer
        self.dropout = nn.Dropout(dropout)
        self.norm = LayerNorm(embed_dim)

    def forward(self, x: Tensor, *memory: Tensor) -> Tensor:
        return self.norm(x + self.dropout(self.sublayer(x, *memory)))


class PreNorm(nn.Module):
    """x + Sublayer(LayerNorm(x)): the residual sum itself is not normalised (Xiong et al. 2020)."""

    def __init__(self, embed_dim: int, sublayer: nn.Module, dropout: float) -> None:
        super().__init__()
        self.sublayer = sublayer
        self.dropout = nn.Dropout(dropout)
        self.norm = LayerNorm(embed_dim)

    def forward(self, x: Tensor, *memory: Tensor) -> Tensor:
        return x + self.dropout(self.sublayer(self.norm(x), *memory))


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Hyper-parameters of a Transformer (Table 3), in brackets as the paper writes them."""

    depth: int = knob(6, "Layers of the encoder, and of the decoder (N)", axis="depth", ge=1, le=48)
    embed_dim: int = knob(
        512, "Token width D (d_model)", axis="width", ge=64, le=4096, step=64, multiple=2
    )
    mlp_ratio: float = knob(
        4.0, "Hidden width (d_ff) over D", ge=1.0, le=8.0, step=0.5, of="embed_dim", size="mlp_dim"
    )
    num_heads: int = knob(8, "Attention heads h", axis="heads", ge=1, le=64)
    seq_len: int = knob(128, "Source length N", axis="resolution", ge=8, le=4096, step=8)
    target_len: int = knob(128, "Target length T", axis="resolution", ge=8, le=4096, step=8)
    vocab_size: int = knob(37000, "Vocabulary size V of each language", ge=2, le=262144)
    shared_embed: bool = knob(True, "One embedding for the source and the target")
    tied_head: bool = knob(True, "Tie the output layer to the target embedding")
    dropout: float = knob(
        0.1, "Dropout rate of each sub-layer and of the embeddings", ge=0.0, le=0.9, step=0.05
    )
    residual: type[nn.Module] = knob(
        PostNorm, "Norm before each sub-layer, or after it", options=(PostNorm, PreNorm)
    )
    final_norm: bool = knob(False, "Norm after each stack; pre-norm needs it")

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")


class ScaledEmbedding(nn.Module):
    """√D times a row of a matrix initialised with variance 1/D (section 3.4).

    So the output layer, which needs the small values, can share the matrix. (B, N) -> (B, N, D).
    """

    def __init__(self, vocab_size: int, embed_dim: int) -> None:
        super().__init__()
        self.scale = embed_dim**0.5
        self.weight = nn.Parameter(torch.randn(vocab_size, embed_dim) / self.scale)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.weight) * self.scale  # (B, N, D)


class SourceLayer(nn.Module):
    """A layer of the encoder: self-attention, then the feed-forward network."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        residual: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        D = embed_dim
        self.self_attention = residual(D, MultiHeadAttention(D, num_heads), dropout)
        self.feed_forward = residual(D, MLP(D, hidden_dim, nn.ReLU), dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.feed_forward(self.self_attention(x))  # (B, N, D)


class TargetLayer(nn.Module):
    """A layer of the decoder: causal self-attention, attention to the memory, feed-forward."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        residual: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        D = embed_dim
        self.self_attention = residual(D, MultiHeadAttention(D, num_heads, causal=True), dropout)
        self.cross_attention = residual(D, MultiHeadAttention(D, num_heads), dropout)
        self.feed_forward = residual(D, MLP(D, hidden_dim, nn.ReLU), dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = self.cross_attention(self.self_attention(x), memory)  # (B, T, D)
        return self.feed_forward(x)  # (B, T, D)


class Transformer(nn.Module):
    """Two embeddings (or one), N encoder layers, N decoder layers, the output layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        D, V = config.embed_dim, config.vocab_size
        self.target_len = config.target_len
        layer = (D, config.num_heads, round(D * config.mlp_ratio), config.residual, config.dropout)
        norm = LayerNorm if config.final_norm else nn.Identity
        self.source_embed = ScaledEmbedding(V, D)
        self.target_embed = self.source_embed if config.shared_embed else ScaledEmbedding(V, D)
        self.source_position = SinusoidalPosition(config.seq_len, D)
        self.target_position = SinusoidalPosition(config.target_len, D)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(SourceLayer(*layer) for _ in range(config.depth))
        self.encoder_norm = norm(D)
        self.decoder = nn.ModuleList(TargetLayer(*layer) for _ in range(config.depth))
        self.decoder_norm = norm(D)
        self.head = nn.Linear(D, V, bias=False)
        if config.tied_head:
            self.head.weight = self.target_embed.weight

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Source (B, N) and target tokens shifted right by one (B, T), to logits (B, T, V)."""
        return self.decode(target, self.encode(source))

    def encode(self, source: Tensor) -> Tensor:
        """Source tokens (B, N) to the memory (B, N, D)."""
        x: Tensor = self.dropout(self.source_position(self.source_embed(source)))  # (B, N, D)
        for layer in self.encoder:
            x = layer(x)  # (B, N, D)
        memory: Tensor = self.encoder_norm(x)  # (B, N, D)
        return memory

    def decode(self, target: Tensor, memory: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each target token, given the memory (B, N, D)."""
        x: Tensor = self.dropout(self.target_position(self.target_embed(target)))  # (B, T, D)
        for layer in self.decoder:
            x = layer(x, memory)  # (B, T, D)
        logits: Tensor = self.head(self.decoder_norm(x))  # (B, T, V)
        return logits

    @torch.no_grad()
    def translate(self, source: Tensor, start: int, end: int, max_new_tokens: int) -> Tensor:
        """Greedy decoding: (B, N) to (B, at most max_new_tokens).

        It begins after the token `start` and stops when every sequence has its `end`; no more
        tokens than target_len. The paper searches with a beam of 4 (section 6.1).
        """
        memory = self.encode(source)
        target = torch.full_like(source[:, :1], start)
        for _ in range(min(max_new_tokens, self.target_len)):
            chosen = self.decode(target, memory)[:, -1:].argmax(dim=-1)
            target = torch.cat((target, chosen), dim=1)
            if (target[:, 1:] == end).any(dim=1).all():
                break
        return target[:, 1:]


def example(config: TransformerConfig, batch: int) -> tuple[Tensor, ...]:
    """Source tokens (B, N) and target tokens (B, T)."""
    return (
        torch.randint(config.vocab_size, (batch, config.seq_len)),
        torch.randint(config.vocab_size, (batch, config.target_len)),
    )


BASE = TransformerConfig()
BIG = TransformerConfig(embed_dim=1024, num_heads=16, dropout=0.3)
TABLE_3 = "Vaswani et al. 2017, Table 3, {}, 37,000 pieces (section 5.1), {}".format
ONE = "one matrix for source, target and output (section 3.4)"
TWO = "one matrix for the source, one for target and output"
THREE = "three separate matrices"

# fmt: off
PRESETS = (
    Preset("Transformer base", BASE, 63_082_496, TABLE_3("base", ONE)),
    Preset("Transformer big", BIG, 214_245_376, TABLE_3("big", ONE)),
    Preset("Transformer base, two matrices", replace(BASE, shared_embed=False), 82_026_496, TABLE_3("base", TWO)),  # noqa: E501
    Preset("Transformer base, three matrices", replace(BASE, shared_embed=False, tied_head=False), 100_970_496, TABLE_3("base", THREE)),  # noqa: E501
    Preset("Transformer big, two matrices", replace(BIG, shared_embed=False), 252_133_376, TABLE_3("big", TWO)),  # noqa: E501
    Preset("Transformer big, three matrices", replace(BIG, shared_embed=False, tied_head=False), 290_021_376, TABLE_3("big", THREE)),  # noqa: E501
)
# fmt: on

TABLE_2 = "Vaswani et al. 2017, Table 2 (newstest2014)"

FAMILY = Family(
    title="Transformer (encoder-decoder)",
    config=TransformerConfig,
    model=Transformer,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language",),
        data="large",
        use_when="one sequence is turned into another of its own length: translation, speech to "
        "text, summaries",
        avoid_when="only a label is wanted: take an encoder; or there is no source: take a decoder",
        strengths=(
            "any target word sees any source word in one step",
            "trains on all positions of the target at once",
            "the memory is computed once for the whole translation",
        ),
        cost=r"$28 L D^2$ parameters in $L$ layers of each stack, $V D$ for each matrix of words; "
        r"$14 L (N + T) D^2$ MACs in maps, $2 L D (N^2 + T^2 + N T)$ in attention, $T V D$ in the "
        r"head",
        related=("attention", "t5", "bert", "gpt", "recurrent"),
        results=(
            Result("Transformer base", "WMT 2014 English-German BLEU", 27.3, "", TABLE_2),
            Result("Transformer big", "WMT 2014 English-German BLEU", 28.4, "", TABLE_2),
            Result("Transformer base", "WMT 2014 English-French BLEU", 38.1, "", TABLE_2),
            Result("Transformer big", "WMT 2014 English-French BLEU", 41.8, "", TABLE_2),
        ),
    ),
)
