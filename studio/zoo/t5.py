r"""T5 turns every task on text into one: read a text, write a text.

Translate, summarise, classify, answer: the task is named in the input ("translate English to
German: ..."), and the answer is always a string. One model, one loss, one way to decode. It is an
encoder-decoder transformer: the encoder reads the source in both directions, the decoder writes the
target word by word and looks at the source through cross-attention.

It differs from the Transformer of 2017 in four places that all change the numbers (section 2.1):

- **Position is a bias on the scores.** No vector is added to the tokens. The offset from token $i$
  to token $j$ adds one learned value per head, $\mathrm{softmax}(QK^\top + b_{j-i})V$. Offsets
  share *buckets*: near ones have one each, far ones share buckets of logarithmic size up to 128
  steps, and all beyond fall into the last. The table belongs to the first block, and every block of
  its stack uses it. Cross-attention has none.
- **No $1/\sqrt d$.** The scale is in the initialisation: $W^Q$ starts smaller by $\sqrt d$.
- **RMS norm before each sub-layer**, without mean and bias; no bias anywhere else either.
- **One embedding for source, target and output.** The decoder's output is scaled by $D^{-1/2}$
  before it is multiplied by this matrix, or the logits would be too large.

**Version 1.1** (also mT5 and ByT5) replaces the ReLU layer by a gated one,
$W_o(\mathrm{GELU}(W_0x) \odot W_1x)$, and gives the output a matrix of its own, without the scale.

**What to watch.** The heads' dimensions need not add up to the width: T5-11B has 128 heads of 128
on a width of 1,024, and a hidden layer 64 times as wide as a token, because wide layers run well on
accelerators. The vocabulary is large: a quarter of T5-small is its embedding, and five sixths of
mT5-small are its two vocabulary matrices. ByT5 reads bytes, needs hardly any embeddings, and spends
the saved parameters on a deep encoder.

Shapes: B batch, N source tokens (seq_len), T target tokens (target_len), S keys attended to,
D embed_dim, h heads, d head_dim, M mlp_dim, V vocab_size.

Paper: Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
Transformer", JMLR 2020, https://arxiv.org/abs/1910.10683; Xue et al. (mT5), NAACL 2021,
https://arxiv.org/abs/2010.11934; Xue et al. (ByT5), TACL 2022, https://arxiv.org/abs/2105.13626

Official code: https://github.com/google-research/text-to-text-transfer-transformer
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.mlp import GatedMLP, TanhGELU
from studio.blocks.norm import RMSNorm
from studio.blocks.position import RelativePosition
from studio.blocks.token_sampling import sample_tokens
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


def scaled_linear(in_features: int, out_features: int, head_dim: int = 1) -> nn.Linear:
    """A linear map without bias that keeps the variance; that of W^Q is √d smaller."""
    linear = nn.Linear(in_features, out_features, bias=False)
    nn.init.normal_(linear.weight, std=(in_features * head_dim) ** -0.5)
    return linear


class ReLUFeedForward(nn.Module):
    """Two maps with a ReLU between, as in 2017 but without bias. (B, T, D) -> (B, T, D)."""

    def __init__(self, embed_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.wi = scaled_linear(embed_dim, mlp_dim)
        self.wo = scaled_linear(mlp_dim, embed_dim)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.act(self.wi(x)))  # (B, T, M)
        return self.wo(x)  # (B, T, D)


class GatedGELUFeedForward(GatedMLP):
    """Version 1.1: one map is gated by the GELU of another (Shazeer 2020). Keeps the shape."""

    def __init__(self, embed_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(embed_dim, mlp_dim, TanhGELU, dropout)
        for linear in (self.gate, self.up, self.down):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """Hyper-parameters of a T5 (section 3.7.2 of the paper), in brackets as its code names them."""

    depth: int = knob(6, "Encoder blocks (num_layers)", axis="depth", ge=1, le=48)
    decoder_depth: int = knob(6, "Decoder blocks (num_decoder_layers)", axis="depth", ge=1, le=48)
    embed_dim: int = knob(512, "Token width D (d_model)", axis="width", ge=64, le=8192, step=64)
    mlp_dim: int = knob(2048, "Hidden width M (d_ff)", axis="width", ge=64, le=65536, step=64)
    num_heads: int = knob(8, "Attention heads h", axis="heads", ge=1, le=128)
    head_dim: int = knob(64, "Head dimension d (d_kv); h·d need not be D", ge=8, le=256, step=8)
    seq_len: int = knob(512, "Source length N", axis="resolution", ge=8, le=2048, step=8)
    target_len: int = knob(512, "Target length T", axis="resolution", ge=8, le=2048, step=8)
    vocab_size: int = knob(32128, "Vocabulary size V", ge=2, le=262144)
    num_buckets: int = knob(32, "Buckets of relative positions j − i", ge=4, le=128, step=4)
    dropout: float = knob(0.1, "Dropout rate", ge=0.0, le=0.9, step=0.05)
    feed_forward: type[nn.Module] = knob(
        ReLUFeedForward,
        "Feed-forward layer: plain, or gated (version 1.1)",
        options=(ReLUFeedForward, GatedGELUFeedForward),
    )
    tied_head: bool = knob(True, "Tie the output layer to the embedding (version 1.1 does not)")


class T5Attention(nn.Module):
    """softmax(q kᵀ + bias) v, without 1/√d and without biases in its maps.

    The first block of a stack holds the table of relative positions for all of them.
    (B, T, D) and a memory (B, S, D) -> (B, T, D); the bias is (1, h, T, S).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        head_dim: int,
        dropout: float,
        position: RelativePosition | None = None,
    ) -> None:
        super().__init__()
        inner = num_heads * head_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.q = scaled_linear(embed_dim, inner, head_dim)
        self.k = scaled_linear(embed_dim, inner)
        self.v = scaled_linear(embed_dim, inner)
        self.o = scaled_linear(inner, embed_dim)
        self.position = position

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None = None) -> Tensor:
        q = self.q(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, T, d)
        k = self.k(memory).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, S, d)
        v = self.v(memory).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (B, h, S, d)
        x = F.scaled_dot_product_attention(  # (B, h, T, d)
            q, k, v, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0, scale=1.0
        )
        # Attention kernels return x in different memory layouts. The copy keeps torch.export from
        # recording a view that is valid for one of them only (ONNX decomposes the kernel).
        x = x.transpose(1, 2).clone(memory_format=torch.contiguous_format)  # (B, T, h, d)
        x = x.flatten(2)  # (B, T, h*d)
        return self.o(x)  # (B, T, D)


class T5EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward layer, each after a norm and added back."""

    def __init__(
        self, attention: T5Attention, feed_forward: nn.Module, embed_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = attention
        self.norm1 = RMSNorm(embed_dim)
        self.feed_forward = feed_forward
        self.norm2 = RMSNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        y = self.norm1(x)  # (B, T, D)
        x = x + self.dropout(self.attention(y, y, bias))  # (B, T, D)
        return x + self.dropout(self.feed_forward(self.norm2(x)))  # (B, T, D)


class T5DecoderBlock(nn.Module):
    """Causal self-attention, attention to the encoder's output, the feed-forward layer."""

    def __init__(
        self,
        attention: T5Attention,
        cross_attention: T5Attention,
        feed_forward: nn.Module,
        embed_dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.norm1 = RMSNorm(embed_dim)
        self.cross_attention = cross_attention
        self.norm2 = RMSNorm(embed_dim)
        self.feed_forward = feed_forward
        self.norm3 = RMSNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor) -> Tensor:
        y = self.norm1(x)  # (B, T, D)
        x = x + self.dropout(self.attention(y, y, bias))  # (B, T, D)
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory))  # (B, T, D)
        return x + self.dropout(self.feed_forward(self.norm3(x)))  # (B, T, D)


class T5Stack(nn.Module):
    """Tokens (B, T) to features (B, T, D); a decoder also reads the encoder's output (B, N, D)."""

    def __init__(
        self, embed_tokens: nn.Embedding, blocks: Iterable[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.embed_tokens = embed_tokens
        self.blocks = nn.ModuleList(blocks)
        self.final_norm = RMSNorm(embed_tokens.embedding_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, *memory: Tensor) -> Tensor:
        position = self.blocks[0].get_submodule("attention.position")
        bias = position(tokens.shape[1])  # (1, h, T, T)
        x = self.dropout(self.embed_tokens(tokens))  # (B, T, D)
        for block in self.blocks:
            x = block(x, bias, *memory)  # (B, T, D)
        return self.dropout(self.final_norm(x))  # (B, T, D)


class T5(nn.Module):
    """An encoder and a decoder that share one embedding, and the output layer."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        D, dropout = config.embed_dim, config.dropout

        def attention(max_len: int = 0, causal: bool = False) -> T5Attention:
            """With a table of relative positions if it has a length."""
            table = (config.num_buckets, config.num_heads, max_len, causal, D**-0.5)
            position = RelativePosition(*table) if max_len else None
            return T5Attention(D, config.num_heads, config.head_dim, dropout, position)

        def feed_forward() -> nn.Module:
            return config.feed_forward(D, config.mlp_dim, dropout)

        N, T = config.seq_len, config.target_len
        encoder = (
            T5EncoderBlock(attention(0 if i else N), feed_forward(), D, dropout)
            for i in range(config.depth)
        )
        decoder = (
            T5DecoderBlock(attention(0 if i else T, True), attention(), feed_forward(), D, dropout)
            for i in range(config.decoder_depth)
        )
        self.shared = nn.Embedding(config.vocab_size, D)
        self.encoder = T5Stack(self.shared, encoder, dropout)
        self.decoder = T5Stack(self.shared, decoder, dropout)
        self.target_len = T
        self.lm_head = scaled_linear(D, config.vocab_size)
        if config.tied_head:
            self.lm_head.weight = self.shared.weight
        self.output_scale = D**-0.5 if config.tied_head else 1.0

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Source (B, N) and target tokens shifted right by one (B, T), to logits (B, T, V)."""
        return self.decode(target, self.encoder(source))

    def decode(self, target: Tensor, memory: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each target token, given the encoder's output."""
        x: Tensor = self.decoder(target, memory) * self.output_scale  # (B, T, D)
        logits: Tensor = self.lm_head(x)  # (B, T, V)
        return logits

    @torch.no_grad()
    def generate(self, source: Tensor, max_new_tokens: int, start: int = 0, end: int = 1) -> Tensor:
        """Greedy decoding: (B, N) to (B, at most max_new_tokens).

        It begins after `start` (the padding token); it stops when every sequence has its `end`, or
        at T.
        """
        memory = self.encoder(source)
        begin = torch.full_like(source[:, :1], start)
        steps = min(max_new_tokens, self.target_len)
        decode = partial(self.decode, memory=memory)
        return sample_tokens(decode, begin, steps, self.target_len, 1.0, 1, end)[:, 1:]


def example(config: T5Config, batch: int) -> tuple[Tensor, ...]:
    """Source tokens (B, N) and target tokens (B, T)."""
    return (
        torch.randint(config.vocab_size, (batch, config.seq_len)),
        torch.randint(config.vocab_size, (batch, config.target_len)),
    )


def t5(D: int, M: int, L: int, h: int, d: int = 64) -> T5Config:
    """A size of section 3.7.2: encoder and decoder of equal depth, everything on one embedding."""
    return T5Config(depth=L, decoder_depth=L, embed_dim=D, mlp_dim=M, num_heads=h, head_dim=d)


def gated(config: T5Config, V: int = 32128) -> T5Config:
    """Version 1.1 of a size: gated GELU, an output layer of its own."""
    return replace(config, vocab_size=V, feed_forward=GatedGELUFeedForward, tied_head=False)


def byte_t5(D: int, M: int, depth: int, decoder_depth: int, h: int) -> T5Config:
    """A size of ByT5's Table 1: a vocabulary of bytes; the encoder is three times as deep."""
    return replace(gated(t5(D, M, depth, h), V=384), decoder_depth=decoder_depth)


# The sizes of version 1.1, which mT5 shares.
SMALL = t5(512, 1024, 8, 6)
BASE = t5(768, 2048, 12, 12)
LARGE = t5(1024, 2816, 24, 16)
XL = t5(2048, 5120, 24, 32)
XXL = t5(4096, 10240, 24, 64)
MULTILINGUAL = 250112

T5_PAPER = "Raffel et al. 2020, section 3.7.2; exact count by transformers, "
V1_1 = "the T5 code's released checkpoints, version 1.1; exact count by transformers, "
MT5 = "Xue et al. 2021, Table 1; exact count by transformers, "
BYT5 = "Xue et al. 2022, Table 1; exact count by transformers, "

PRESETS = (
    Preset("T5-small", t5(512, 2048, 6, 8), 60_506_624, T5_PAPER + "t5-small"),
    Preset("T5-base", t5(768, 3072, 12, 12), 222_903_552, T5_PAPER + "t5-base"),
    Preset("T5-large", t5(1024, 4096, 24, 16), 737_668_096, T5_PAPER + "t5-large"),
    Preset("T5-3B", t5(1024, 16384, 24, 32, 128), 2_851_598_336, T5_PAPER + "t5-3b"),
    Preset("T5-11B", t5(1024, 65536, 24, 128, 128), 11_307_321_344, T5_PAPER + "t5-11b"),
    Preset("T5-v1.1-small", gated(SMALL), 76_961_152, V1_1 + "t5-v1_1-small"),
    Preset("T5-v1.1-base", gated(BASE), 247_577_856, V1_1 + "t5-v1_1-base"),
    Preset("T5-v1.1-large", gated(LARGE), 783_150_080, V1_1 + "t5-v1_1-large"),
    Preset("T5-v1.1-XL", gated(XL), 2_849_757_184, V1_1 + "t5-v1_1-xl"),
    Preset("T5-v1.1-XXL", gated(XXL), 11_135_332_352, V1_1 + "t5-v1_1-xxl"),
    Preset("mT5-small", gated(SMALL, MULTILINGUAL), 300_176_768, MT5 + "mt5-small"),
    Preset("mT5-base", gated(BASE, MULTILINGUAL), 582_401_280, MT5 + "mt5-base"),
    Preset("mT5-large", gated(LARGE, MULTILINGUAL), 1_229_581_312, MT5 + "mt5-large"),
    Preset("mT5-XL", gated(XL, MULTILINGUAL), 3_742_619_648, MT5 + "mt5-xl"),
    Preset("mT5-XXL", gated(XXL, MULTILINGUAL), 12_921_057_280, MT5 + "mt5-xxl"),
    Preset("ByT5-small", byte_t5(1472, 3584, 12, 4, 6), 299_637_760, BYT5 + "byt5-small"),
    Preset("ByT5-base", byte_t5(1536, 3968, 18, 6, 12), 581_653_248, BYT5 + "byt5-base"),
    Preset("ByT5-large", byte_t5(1536, 3840, 36, 12, 16), 1_228_183_552, BYT5 + "byt5-large"),
    Preset("ByT5-XL", byte_t5(2560, 6720, 36, 12, 32), 3_737_801_728, BYT5 + "byt5-xl"),
    Preset("ByT5-XXL", byte_t5(4672, 12352, 36, 12, 64), 12_906_899_328, BYT5 + "byt5-xxl"),
)

XNLI = "Xue et al. 2021, Table 2 (average, zero-shot across languages)"
BYT5_GLUE = "Xue et al. 2022, Table 2"
TABLE_14 = "Raffel et al. 2020, Table 14 (fine-tuned)"
SIZES = ("small", "base", "large", "XL", "XXL")


def by_size(name: str, *values: float) -> dict[str, float]:
    return {f"{name}-{size}": value for size, value in zip(SIZES, values, strict=False)}


RESULTS = (
    *results("GLUE average", "", TABLE_14, by_size("T5", 77.4, 82.7, 86.4)),
    *results("GLUE average", "", TABLE_14, {"T5-3B": 88.5, "T5-11B": 90.3}),
    *results("GLUE average, dev", "", BYT5_GLUE, by_size("ByT5", 80.5, 85.3, 87.0, 87.9, 90.1)),
    *results("XNLI accuracy", "%", XNLI, by_size("mT5", 67.5, 75.4, 81.1, 82.9, 85.0)),
)

FAMILY = Family(
    title="T5 (text-to-text transfer transformer)",
    config=T5Config,
    model=T5,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language",),
        data="large",
        use_when="the answer is a text that depends on a given text: translate, summarise, answer",
        avoid_when="only a label or a vector is wanted (take an encoder), or open-ended text "
        "without a source (take a decoder)",
        strengths=(
            "one model and one loss for every task that text can state",
            "the encoder sees the source in both directions, and runs once for the whole answer",
            "positions are offsets: the same table serves any length",
        ),
        cost=r"$L(12 D h d + 4 D M)$ parameters in two stacks of $L$ blocks ($6 D M$ with a gate), "
        r"$V D$ for each matrix of words; MACs: the encoder's weights $N$ times, the decoder's $T$ "
        r"times, and $2 L h d (N^2 + T^2 + N T)$ in attention",
        related=("transformer", "bert", "gpt"),
        results=RESULTS,
    ),
)
