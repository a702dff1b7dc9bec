r"""A GPT writes: it reads the tokens so far and predicts the probability of each next token.

The training objective is a single sum over a text (equation 1 of GPT-1, section 2 of GPT-2):

$$\max \sum_n \log P(t_n \mid t_1, \ldots, t_{n-1})$$

No labels are needed: every text is its own answer. And because the model must continue *any* text,
a translation, a summary or the answer to a question is just a text whose continuation is asked for.

**One pass, N lessons.** Token $n$ may attend to itself and to earlier tokens, never to later ones.
With that *causal mask* one forward pass predicts at all $N$ positions at once, each as if the text
ended there: a sequence of 1024 tokens is 1024 training examples. The mask is an argument of the
fused attention kernel; no $N \times N$ matrix is stored.

**Pre-norm.** GPT-1 normalised after each sub-layer, as Vaswani et al. did (`PostNormBlock`). GPT-2
moved the norm to the *input* of each sub-layer (`PreNormBlock`, section 2.3), so that a *residual
stream* of plain sums runs from the embedding to the last block, and gradients flow back along it;
that makes 96 layers trainable. The stream itself is never normalised, so one more norm follows the
last block. The $2L$ projections that add to it are initialised smaller, by $1/\sqrt{2L}$.

**The head is the embedding.** Logits are the products of the last state with every token's
embedding: input and output share one matrix, which is counted once. In GPT-2 small it is a third of
all parameters; in GPT-3 175B less than half a percent.

**What to watch.** A block holds $12D^2$ parameters, so $12LD^2$ estimates the size of any GPT: $12
\cdot 96 \cdot 12288^2 = 174 \cdot 10^9$. Tokens cost $N^2$ in attention, but with $D = 12288$ and
$N = 2048$ that is under 3 % of the work. We count the full square: a causal kernel may skip half of
it. GPT-3 alternates full attention with a banded sparse one; here all attention is full, which
changes no parameter count. Weights in OpenAI's format (`Conv1D`) are transposed; ours are plain
linear layers.

Shapes: B batch, N tokens (seq_len), D embed_dim, h heads, d = D/h, V vocab_size, L depth.

Paper: Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019,
https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf;
Radford et al. (GPT-1), 2018,
https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf;
Brown et al. (GPT-3), NeurIPS 2020, https://arxiv.org/abs/2005.14165

Official code: https://github.com/openai/gpt-2; the small ones: https://github.com/karpathy/nanoGPT
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.blocks.attention import SelfAttention
from studio.blocks.mlp import MLP, TanhGELU
from studio.blocks.position import LearnedPosition
from studio.blocks.token_sampling import sample_tokens
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class GPTBlock(nn.Module):
    """Causal attention, then an MLP, each beside a residual connection; the norms vary.

    (B, N, D) -> (B, N, D). `final_norm` is what a stack of such blocks needs after its last one.
    """

    final_norm: type[nn.Module]


class PreNormBlock(GPTBlock):
    """x' = x + attention(norm(x)), then x' + MLP(norm(x')): GPT-2 and all since (section 2.3)."""

    final_norm = nn.LayerNorm

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        activation: type[nn.Module],
        bias: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim, bias=bias)
        self.attn = SelfAttention(embed_dim, num_heads, dropout, bias=bias, causal=True)
        self.norm2 = nn.LayerNorm(embed_dim, bias=bias)
        self.mlp = MLP(embed_dim, hidden_dim, activation, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attn(self.norm1(x)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class PostNormBlock(GPTBlock):
    """x' = norm(x + attention(x)), then norm(x' + MLP(x')): GPT-1 (section 4.1)."""

    final_norm = nn.Identity

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        activation: type[nn.Module],
        bias: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attn = SelfAttention(embed_dim, num_heads, dropout, bias=bias, causal=True)
        self.norm1 = nn.LayerNorm(embed_dim, bias=bias)
        self.mlp = MLP(embed_dim, hidden_dim, activation, bias=bias)
        self.norm2 = nn.LayerNorm(embed_dim, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(self.attn(x)))
        return self.norm2(x + self.dropout(self.mlp(x)))


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Hyper-parameters of a GPT (Table 2 of GPT-2, Table 2.1 of GPT-3)."""

    depth: int = knob(6, "Blocks L (n_layers)", axis="depth", ge=1, le=128)
    embed_dim: int = knob(384, "Token width D (d_model)", axis="width", ge=64, le=16384, step=64)
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(6, "Attention heads h", axis="heads", ge=1, le=128)
    seq_len: int = knob(256, "Sequence length N", axis="resolution", ge=64, le=8192, step=64)
    max_seq_len: int = knob(
        256, "Longest sequence: number of position embeddings", ge=64, le=8192, step=64
    )
    vocab_size: int = knob(65, "Vocabulary size V", ge=2, le=262144)
    dropout: float = knob(
        0.2, "Dropout rate of embeddings, attention and sub-layers", ge=0.0, le=0.9, step=0.05
    )
    bias: bool = knob(False, "Bias in the linear layers and norms of the blocks")
    block: type[GPTBlock] = knob(
        PreNormBlock,
        "Norm before each sub-layer (GPT-2) or after it (GPT-1)",
        options=(PreNormBlock, PostNormBlock),
    )
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(TanhGELU, nn.GELU, nn.ReLU, nn.SiLU)
    )

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")
        if self.seq_len > self.max_seq_len:
            raise ValueError(
                f"seq_len={self.seq_len} must not exceed max_seq_len={self.max_seq_len}"
            )


class GPT(nn.Module):
    """Token and position embeddings, L causal blocks, logits by the token embedding."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        D, block = config.embed_dim, config.block
        self.max_seq_len = config.max_seq_len
        self.token_embed = nn.Embedding(config.vocab_size, D)
        self.position = LearnedPosition(config.max_seq_len, D)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.Sequential(
            *(
                block(
                    D,
                    config.num_heads,
                    round(D * config.mlp_ratio),
                    activation=config.activation,
                    bias=config.bias,
                    dropout=config.dropout,
                )
                for _ in range(config.depth)
            )
        )
        self.norm = block.final_norm(D, bias=config.bias)
        self.head = nn.Linear(D, config.vocab_size, bias=False)
        self.head.weight = self.token_embed.weight
        self.init_weights(config.depth)

    def init_weights(self, depth: int) -> None:
        """Normal, σ = 0.02; 1/√(2L) of it in layers that add to the stream (GPT-2, section 2.3)."""
        for name, parameter in self.named_parameters():
            if name.endswith(("attn.proj.weight", "mlp.fc2.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * depth) ** 0.5)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) below vocab_size, to logits of each next token (B, N, V)."""
        x = self.token_embed(tokens)  # (B, N, D)
        x = self.dropout(self.position(x))  # (B, N, D)
        x = self.norm(self.blocks(x))  # (B, N, D)
        return self.head(x)  # (B, N, V)

    def generate(
        self, tokens: Tensor, steps: int, temperature: float = 1.0, top_k: int = 50
    ) -> Tensor:
        """Continue the tokens (B, N) by `steps` sampled ones: (B, N + steps)."""
        return sample_tokens(self, tokens, steps, self.max_seq_len, temperature, top_k)


def example(config: GPTConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of token sequences (B, N)."""
    return (torch.randint(config.vocab_size, (batch, config.seq_len)),)


def gpt(depth: int, embed_dim: int, num_heads: int, context: int = 1024) -> GPTConfig:
    """A row of a paper's table."""
    return GPTConfig(
        depth=depth,
        embed_dim=embed_dim,
        num_heads=num_heads,
        seq_len=context,
        max_seq_len=context,
        vocab_size=50257,
        dropout=0.1,
        bias=True,
        activation=TanhGELU,
    )


NANO = replace(gpt(12, 768, 12), vocab_size=50304, dropout=0.0, bias=False, activation=nn.GELU)
GPT_1 = replace(gpt(12, 768, 12, context=512), vocab_size=40478, block=PostNormBlock)

NANOGPT = "nanoGPT, config/train_shakespeare_char.py (it prints 10.65M, without positions)"
NANOGPT_2 = "nanoGPT, config/train_gpt2.py (it prints 123.59M, without positions)"
TABLE_2 = "GPT-2, Table 2 (it gives 117M, 345M, 762M, 1542M); transformers GPT2LMHeadModel"
TABLE_2_1 = "GPT-3, Table 2.1, with the layout and the 50,257 tokens of GPT-2"
XL = TABLE_2_1 + "; 2048 / 128 = 16 heads, where the table says 24"
GPT_3_13B = TABLE_2_1 + "; 40 heads of 128 make 5120, where the table says 5140"

# fmt: off
PRESETS = (
    Preset("nanoGPT Shakespeare", GPTConfig(), 10_745_088, NANOGPT),
    Preset("nanoGPT 124M", NANO, 124_373_760, NANOGPT_2),
    Preset("GPT-1", GPT_1, 116_534_784, "GPT-1, section 4.1; transformers OpenAIGPTLMHeadModel"),
    Preset("GPT-2 small", gpt(12, 768, 12), 124_439_808, TABLE_2),
    Preset("GPT-2 medium", gpt(24, 1024, 16), 354_823_168, TABLE_2),
    Preset("GPT-2 large", gpt(36, 1280, 20), 774_030_080, TABLE_2),
    Preset("GPT-2 xl", gpt(48, 1600, 25), 1_557_611_200, TABLE_2),
    Preset("GPT-3 125M (Small)", gpt(12, 768, 12, 2048), 125_226_240, TABLE_2_1),
    Preset("GPT-3 350M (Medium)", gpt(24, 1024, 16, 2048), 355_871_744, TABLE_2_1),
    Preset("GPT-3 760M (Large)", gpt(24, 1536, 16, 2048), 760_300_032, TABLE_2_1),
    Preset("GPT-3 1.3B (XL)", gpt(24, 2048, 16, 2048), 1_315_723_264, XL),
    Preset("GPT-3 2.7B", gpt(32, 2560, 32, 2048), 2_651_553_280, TABLE_2_1),
    Preset("GPT-3 6.7B", gpt(32, 4096, 32, 2048), 6_658_404_352, TABLE_2_1),
    Preset("GPT-3 13B", gpt(40, 5120, 40, 2048), 12_853_386_240, GPT_3_13B),
    Preset("GPT-3 175B", gpt(96, 12288, 96, 2048), 174_604_259_328, TABLE_2_1),
)
# fmt: on

TABLE_3 = "GPT-2, Table 3 (zero-shot)"
TABLE_H_1 = "GPT-3, Table H.1 (zero-shot)"
GPT_1_TABLE_4 = "GPT-1, Table 4"
README = "nanoGPT, README"
LAMBADA = "LAMBADA accuracy"

FAMILY = Family(
    title="GPT (decoder)",
    config=GPTConfig,
    model=GPT,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language", "generation"),
        data="large",
        use_when="text (or any token sequence) is to be continued, or a task can be stated as text",
        avoid_when="a text is only to be understood, labelled or searched: BERT reads both ways",
        strengths=(
            "learns from raw text: every token is a label",
            "one pass trains all N positions of a sequence",
            "one uniform block that scales from a classroom's laptop to 175 billion parameters",
        ),
        cost=r"$12 L D^2$ parameters besides $(V + N) D$ of embeddings; "
        r"$L(12 N D^2 + 2 N^2 D) + N D V$ MACs, the last term for the head",
        related=("llama", "bert", "attention"),
        results=(
            *results(
                LAMBADA,
                "%",
                TABLE_3,
                {
                    "GPT-2 small": 45.99,
                    "GPT-2 medium": 55.48,
                    "GPT-2 large": 60.12,
                    "GPT-2 xl": 63.24,
                },
            ),
            *results(
                LAMBADA,
                "%",
                TABLE_H_1,
                {
                    "GPT-3 125M (Small)": 42.7,
                    "GPT-3 350M (Medium)": 54.3,
                    "GPT-3 760M (Large)": 60.4,
                    "GPT-3 1.3B (XL)": 63.6,
                    "GPT-3 2.7B": 67.1,
                    "GPT-3 6.7B": 70.3,
                    "GPT-3 13B": 72.5,
                    "GPT-3 175B": 76.2,
                },
            ),
            *results("GLUE average", "", GPT_1_TABLE_4, {"GPT-1": 72.8}),
            *results(
                "Shakespeare validation loss",
                "nats per character",
                README,
                {"nanoGPT Shakespeare": 1.4697},
            ),
            *results(
                "OpenWebText validation loss",
                "nats per token",
                README + " (about)",
                {"nanoGPT 124M": 2.85},
            ),
        ),
    ),
)
