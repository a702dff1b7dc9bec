r"""LLaMA is the decoder that open language models settled on: GPT with four parts replaced.

Each part had been published before; section 2.2 of the paper lists the sources. All give the same
or better results with fewer parameters or fewer bytes to move.

**RMSNorm in place of LayerNorm** (Zhang & Sennrich). Subtracting the mean is not needed; dividing
by the root mean square is enough: $x / \sqrt{\mathrm{mean}(x^2) + \epsilon} \cdot g$.

**Rotary positions in place of learned ones** (Su et al.). Nothing is added to the tokens. Instead
every pair of features of a query or key at position $n$ is *rotated* by the angle
$n\,\theta^{-2i/d}$. The product of a query at $m$ and a key at $n$ then depends on $m - n$ alone:
attention depends on relative positions, no table limits the length, and there are no parameters. A
larger $\theta$ makes slow rotations slower, for longer contexts: 10,000 at first, 500,000 in Llama
3. Llama 3.1 slows the slowest rotations further, by `rope_factor`.

**SwiGLU in place of the MLP** (Shazeer): $W_2(\mathrm{SiLU}(W_1 x) \odot W_3 x)$. Three matrices in
place of two; at $\tfrac{8}{3} D$ features in place of $4D$ they cost the same.

**Grouped-query attention in place of one key a query** (Llama 2, section 2.2; Ainslie et al.).
While generating, a model keeps the keys and values of all earlier tokens (the KV cache): $2 \, L \,
g \, d$ values per token. With $g = h$ key-value heads that memory, not arithmetic, is the limit.
Here $h / g$ query heads share one key-value head: Llama-2-70B stores an eighth, and is hardly
worse. With $g = 1$ it is multi-query attention.

**What to watch.** A block holds $2 D d (h + g) + 3 D \cdot \text{hidden}$ parameters. The head
dimension $d$ is a knob of its own: published models widen by adding heads, $h = D/d$. A small model
with a large vocabulary is mostly embedding: that is why Llama-3.2-1B ties its output layer to it.
Mistral 7B has the same layout; its version 0.1 attends at most 4096 tokens back, which the 2048
tokens here never reach. Weights have the layout of transformers.

Shapes: B batch, N tokens (seq_len), D embed_dim, h heads (num_heads), g heads of keys and values
(num_kv_heads), d head_dim, V vocab_size, L depth.

Paper: Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023,
https://arxiv.org/abs/2302.13971; Llama 2, 2023, https://arxiv.org/abs/2307.09288; Dubey et al.,
"The Llama 3 Herd of Models", 2024, https://arxiv.org/abs/2407.21783; Jiang et al., "Mistral 7B",
2023, https://arxiv.org/abs/2310.06825

Official code: https://github.com/meta-llama/llama; the small ones:
https://github.com/karpathy/llama2.c
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.mlp import GatedMLP
from studio.blocks.norm import RMSNorm
from studio.blocks.position import RotaryPosition, apply_rotary
from studio.blocks.token_sampling import sample_tokens
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """Hyper-parameters of a Llama (LLaMA, Table 2; Llama 3, Table 3)."""

    depth: int = knob(6, "Blocks L (n_layers)", axis="depth", ge=1, le=128)
    embed_dim: int = knob(288, "Token width D (dim)", axis="width", ge=64, le=16384, step=32)
    mlp_ratio: float = knob(
        8 / 3,
        "Hidden width of the SwiGLU MLP over D",
        ge=1.0,
        le=8.0,
        step=0.0625,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(6, "Query heads h (n_heads)", axis="heads", ge=1, le=128)
    num_kv_heads: int = knob(
        6, "Key-value heads g, each shared by h/g query heads (n_kv_heads)", ge=1, le=128
    )
    head_dim: int = knob(48, "Head dimension d", ge=8, le=256, step=2, multiple=2)
    seq_len: int = knob(256, "Sequence length N", axis="resolution", ge=64, le=131072, step=64)
    rope_theta: float = knob(10000.0, "Base θ of the rotary embedding", ge=1e3, le=1e7, step=1e3)
    rope_factor: float = knob(
        1.0,
        "Factor by which slow rotations are slowed further (Llama 3.1: 8, 3.2: 32)",
        ge=1.0,
        le=64.0,
        step=1.0,
    )
    norm_eps: float = knob(1e-5, "ε of RMSNorm", options=(1e-5, 1e-6))
    vocab_size: int = knob(32000, "Vocabulary size V", ge=2, le=262144)
    tied_head: bool = knob(True, "Tie the output layer to the token embedding")

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads={self.num_kv_heads} must divide num_heads={self.num_heads}"
            )


class GroupedQueryAttention(nn.Module):
    """Causal attention of h query heads that share g key-value heads (Llama 2, section 2.2).

    Queries and keys are rotated by their positions. (B, N, D) -> (B, N, D).
    """

    def __init__(self, embed_dim: int, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.q_proj = nn.Linear(embed_dim, num_heads * head_dim, bias=False)
        self.k_proj = nn.Linear(embed_dim, num_kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(embed_dim, num_kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * head_dim, embed_dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        B, N, _ = x.shape
        q = self.q_proj(x).view(B, N, -1, self.head_dim).transpose(1, 2)  # (B, h, N, d)
        k = self.k_proj(x).view(B, N, -1, self.head_dim).transpose(1, 2)  # (B, g, N, d)
        v = self.v_proj(x).view(B, N, -1, self.head_dim).transpose(1, 2)  # (B, g, N, d)
        q, k = apply_rotary(q, cos, sin), apply_rotary(k, cos, sin)
        x = F.scaled_dot_product_attention(  # (B, h, N, d)
            q, k, v, is_causal=True, enable_gqa=True
        )
        x = x.transpose(1, 2).flatten(2)  # (B, N, h*d)
        return self.o_proj(x)  # (B, N, D)


class LlamaBlock(nn.Module):
    """x' = x + attention(norm(x)), then x' + SwiGLU(norm(x')). (B, N, D) -> (B, N, D)."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        hidden_dim: int,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.attention = GroupedQueryAttention(embed_dim, num_heads, num_kv_heads, head_dim)
        self.feed_forward = GatedMLP(embed_dim, hidden_dim, nn.SiLU)
        self.attention_norm = RMSNorm(embed_dim, norm_eps)
        self.ffn_norm = RMSNorm(embed_dim, norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    """Token embeddings, L blocks that share the rotary embedding, norm, logits."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        D = config.embed_dim
        self.context = config.seq_len
        self.token_embed = nn.Embedding(config.vocab_size, D)
        self.rotary = RotaryPosition(config.head_dim, config.rope_theta, config.rope_factor)
        self.blocks = nn.ModuleList(
            LlamaBlock(
                D,
                config.num_heads,
                config.num_kv_heads,
                config.head_dim,
                round(D * config.mlp_ratio),
                config.norm_eps,
            )
            for _ in range(config.depth)
        )
        self.norm = RMSNorm(D, config.norm_eps)
        self.head = nn.Linear(D, config.vocab_size, bias=False)
        if config.tied_head:
            self.head.weight = self.token_embed.weight
        self.init_weights()

    def init_weights(self) -> None:
        """Normal, σ = 0.02, in all matrices (transformers); the gains of the norms stay 1."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) below vocab_size, to logits of each next token (B, N, V)."""
        x = self.token_embed(tokens)  # (B, N, D)
        cos, sin = self.rotary(x)  # 2 × (N, d)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))  # (B, N, V)

    def generate(
        self, tokens: Tensor, steps: int, temperature: float = 1.0, top_k: int = 50
    ) -> Tensor:
        """Continue the tokens (B, N) by `steps` sampled ones: (B, N + steps)."""
        return sample_tokens(self, tokens, steps, self.context, temperature, top_k)


def example(config: LlamaConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of token sequences (B, N)."""
    return (torch.randint(config.vocab_size, (batch, config.seq_len)),)


def llama(
    depth: int,
    embed_dim: int,
    hidden_dim: int,
    num_heads: int,
    num_kv_heads: int,
    *,
    vocab_size: int = 32000,
    rope_theta: float = 10000.0,
) -> LlamaConfig:
    """A published model, by its own numbers; it reads 2048 tokens."""
    return LlamaConfig(
        depth=depth,
        embed_dim=embed_dim,
        mlp_ratio=hidden_dim / embed_dim,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=embed_dim // num_heads,
        seq_len=2048,
        rope_theta=rope_theta,
        vocab_size=vocab_size,
        tied_head=False,
    )


def llama3(
    depth: int, embed_dim: int, hidden_dim: int, num_heads: int, rope_factor: float = 1.0
) -> LlamaConfig:
    """A Llama 3: 128,256 tokens, eight heads of keys and values, θ = 500,000."""
    start = llama(
        depth, embed_dim, hidden_dim, num_heads, 8, vocab_size=128256, rope_theta=500000.0
    )
    return replace(start, rope_factor=rope_factor)


def stories(
    depth: int, embed_dim: int, hidden_dim: int, num_heads: int, seq_len: int
) -> LlamaConfig:
    """A model of llama2.c, trained on short stories; its output layer is tied to the embedding."""
    start = llama(depth, embed_dim, hidden_dim, num_heads, num_heads)
    return replace(start, seq_len=seq_len, tied_head=True)


def mistral(vocab_size: int, rope_theta: float) -> LlamaConfig:
    """A version of Mistral 7B: the shape of Llama-3-8B with another vocabulary."""
    return llama(32, 4096, 14336, 32, 8, vocab_size=vocab_size, rope_theta=rope_theta)


STORIES = "https://github.com/karpathy/llama2.c, table of models"
LLAMA_1 = "LLaMA, Table 2; transformers LlamaForCausalLM"
LLAMA_2 = "Llama 2, Table 1; transformers LlamaForCausalLM"
LLAMA_3 = "The Llama 3 Herd of Models, Table 3; transformers LlamaForCausalLM"
LLAMA_3_2 = "https://github.com/meta-llama/llama-models, Llama 3.2; transformers LlamaForCausalLM"
TINY = "TinyLlama, Table 2, https://arxiv.org/abs/2401.02385"
MISTRAL = "Mistral 7B, Table 1; transformers MistralForCausalLM"

LLAMA_1_7B = replace(llama(32, 4096, 11008, 32, 32), norm_eps=1e-6)
LLAMA_1_13B = replace(llama(40, 5120, 13824, 40, 40), norm_eps=1e-6)
LLAMA_1_33B = replace(llama(60, 6656, 17920, 52, 52), norm_eps=1e-6)
LLAMA_3_2_1B = replace(llama3(16, 2048, 8192, 32, rope_factor=32.0), tied_head=True)
LLAMA_3_2_3B = replace(llama3(28, 3072, 8192, 24, rope_factor=32.0), tied_head=True)

# fmt: off
PRESETS = (
    Preset("Stories-15M", stories(6, 288, 768, 6, 256), 15_191_712, STORIES),
    Preset("Stories-42M", stories(8, 512, 1376, 8, 1024), 41_689_600, STORIES),
    Preset("Stories-110M", stories(12, 768, 2048, 12, 1024), 109_529_856, STORIES),
    Preset("TinyLlama-1.1B", llama(22, 2048, 5632, 32, 4), 1_100_048_384, TINY),
    Preset("LLaMA-7B", LLAMA_1_7B, 6_738_415_616, LLAMA_1),
    Preset("LLaMA-13B", LLAMA_1_13B, 13_015_864_320, LLAMA_1),
    Preset("LLaMA-33B", LLAMA_1_33B, 32_528_943_616, LLAMA_1),
    Preset("LLaMA-65B", llama(80, 8192, 22016, 64, 64), 65_285_660_672, LLAMA_1),
    Preset("Llama-2-7B", llama(32, 4096, 11008, 32, 32), 6_738_415_616, LLAMA_2),
    Preset("Llama-2-13B", llama(40, 5120, 13824, 40, 40), 13_015_864_320, LLAMA_2),
    Preset("Llama-2-70B", llama(80, 8192, 28672, 64, 8), 68_976_648_192, LLAMA_2),
    Preset("Llama-3-8B", llama3(32, 4096, 14336, 32), 8_030_261_248, LLAMA_3),
    Preset("Llama-3-70B", llama3(80, 8192, 28672, 64), 70_553_706_496, LLAMA_3),
    Preset("Llama-3.1-8B", llama3(32, 4096, 14336, 32, 8.0), 8_030_261_248, LLAMA_3),
    Preset("Llama-3.1-70B", llama3(80, 8192, 28672, 64, 8.0), 70_553_706_496, LLAMA_3),
    Preset("Llama-3.1-405B", llama3(126, 16384, 53248, 128, 8.0), 405_853_388_800, LLAMA_3),
    Preset("Llama-3.2-1B", LLAMA_3_2_1B, 1_235_814_400, LLAMA_3_2),
    Preset("Llama-3.2-3B", LLAMA_3_2_3B, 3_212_749_824, LLAMA_3_2),
    Preset("Mistral-7B-v0.1", mistral(32000, 10000.0), 7_241_732_096, MISTRAL),
    Preset("Mistral-7B-v0.3", mistral(32768, 1000000.0), 7_248_023_552, MISTRAL),
)
# fmt: on

TABLE_3 = "Llama 2, Table 3"
CARD = "Llama 3.1 model card, base models"
CARD_3_2 = "Llama 3.2 model card, base models"
STORIES_LOSS = "https://github.com/karpathy/llama2.c, table of models"
MMLU = "MMLU, 5-shot"

FAMILY = Family(
    title="Llama (decoder)",
    config=LlamaConfig,
    model=Llama,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language", "generation"),
        data="large",
        use_when="a current language model is wanted, or open weights are to be fine-tuned",
        avoid_when="a text is only to be understood, labelled or searched: BERT reads both ways",
        strengths=(
            "open weights at every size, and tools for all of them",
            "positions are distances: no table limits the length",
            "shared keys and values: a small KV cache, also for long texts",
        ),
        cost=r"$L(2 D d (h + g) + 3 D \cdot \text{hidden})$ parameters besides $2 V D$ of embedding"
        r" "
        r"and head; in MACs $N$ times the same, $N D V$ for the head, and $2 L N^2 h d$",
        related=("gpt", "bert", "attention"),
        results=(
            *results(
                MMLU,
                "%",
                TABLE_3,
                {
                    "LLaMA-7B": 35.1,
                    "LLaMA-13B": 46.9,
                    "LLaMA-33B": 57.8,
                    "LLaMA-65B": 63.4,
                    "Llama-2-7B": 45.3,
                    "Llama-2-13B": 54.8,
                    "Llama-2-70B": 68.9,
                },
            ),
            *results(
                MMLU,
                "%",
                CARD,
                {
                    "Llama-3-8B": 66.7,
                    "Llama-3-70B": 79.5,
                    "Llama-3.1-8B": 66.7,
                    "Llama-3.1-70B": 79.3,
                    "Llama-3.1-405B": 85.2,
                },
            ),
            *results(MMLU, "%", CARD_3_2, {"Llama-3.2-1B": 32.2, "Llama-3.2-3B": 58.0}),
            *results(MMLU, "%", "Mistral 7B, Table 2", {"Mistral-7B-v0.1": 60.1}),
            *results("HellaSwag accuracy", "%", TINY + " (zero-shot)", {"TinyLlama-1.1B": 59.2}),
            *results(
                "TinyStories validation loss",
                "nats per token",
                STORIES_LOSS,
                {"Stories-15M": 1.072, "Stories-42M": 0.847, "Stories-110M": 0.76},
            ),
        ),
    ),
)
