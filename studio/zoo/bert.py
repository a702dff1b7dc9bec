r"""BERT reads: every token attends to the whole text, to the left and to the right of it.

A model that predicts the *next* token must not look ahead. BERT has another task: 15 % of the
tokens are masked, and it predicts them (*masked language model*, section 3.1). To fill a gap it may
read left and right, so attention needs no causal mask, and each token's vector depends on its whole
context. Pre-trained once on text without labels, the same encoder then serves any language
understanding task with one more layer: that made *pre-train, then fine-tune* the rule.

**Input** (Figure 2). Three embeddings are added: of the token, of its position, and of its segment
(a question and its paragraph; 0 for a single text). The first token is always `[CLS]`, and its
final vector stands for the whole text.

**Post-norm.** BERT normalises *after* each residual sum, as Vaswani et al. did: $x' = \mathrm{LN}(x
+ \mathrm{attention}(x))$. A norm at every layer keeps the activations stable, but every gradient
has to pass all of them: such stacks need warm-up, and become unstable when deep. GPT-2 and later
models normalise before.

**Heads** are choices here. `PooledFeatures` gives every token's vector and the pooled first one.
`MaskedLMHead` gives logits at each position, by a product with the token embeddings (a tied matrix,
counted once) and a bias per token. `PreTrainingHead` also predicts whether the second segment
follows the first in the corpus. `ClassificationHead` labels the text.

**What to watch.** A block holds $12 D^2$ parameters, but in small models the embeddings dominate:
of BERT-tiny's 4.4 million, 3.9 million are the vocabulary. The $N^2$ of attention exceeds the MLP's
cost only at $N = 4D$ tokens; positions beyond `max_seq_len` have no embedding.

Shapes: B batch, N tokens (seq_len), D embed_dim, h heads, d = D/h, V vocab_size, K num_classes.

Paper: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019, https://arxiv.org/abs/1810.04805; the small ones: Turc et al.,
"Well-Read Students Learn Better", 2019, https://arxiv.org/abs/1908.08962

Official code: https://github.com/google-research/bert
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.mlp import MLP
from studio.blocks.multihead import MultiHeadAttention
from studio.blocks.position import LearnedPosition
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class BERTNorm(nn.LayerNorm):
    """Layer normalisation with the ε = 1e-12 of the official code."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__(embed_dim, eps=1e-12)


class BERTEmbedding(nn.Module):
    """The sum of token, segment and position embeddings (Figure 2), normalised.

    Tokens and segments (B, N) -> (B, N, D).
    """

    def __init__(self, vocab_size: int, max_seq_len: int, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, embed_dim)
        self.position = LearnedPosition(max_seq_len, embed_dim)
        self.segment = nn.Embedding(2, embed_dim)
        self.norm = BERTNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        x = self.token(tokens) + self.segment(segments)  # (B, N, D)
        return self.dropout(self.norm(self.position(x)))


class BERTBlock(nn.Module):
    """x' = LN(x + attention(x)), then LN(x' + MLP(x')): post-norm. (B, N, D) -> (B, N, D)."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        activation: type[nn.Module],
        dropout: float,
    ) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm1 = BERTNorm(embed_dim)
        self.mlp = MLP(embed_dim, hidden_dim, activation)
        self.norm2 = BERTNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.norm1(x + self.dropout(self.attn(x, mask=mask)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class Pooler(nn.Module):
    """The first token's vector, through one more layer and tanh. (B, N, D) -> (B, D)."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.dense(x[:, 0]))  # (B, D)


class PooledFeatures(nn.Module):
    """No head: the features of every token (B, N, D), and the pooled ones (B, D)."""

    def __init__(
        self, embedding: nn.Embedding, num_classes: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.pooler = Pooler(embedding.embedding_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.pooler(x)  # (B, D)
        return x, pooled


class MaskedLMHead(nn.Module):
    """Logits of the masked tokens, from the tied token embeddings (section 3.1, task 1).

    (B, N, D) -> (B, N, V).
    """

    def __init__(
        self, embedding: nn.Embedding, num_classes: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        V, D = embedding.num_embeddings, embedding.embedding_dim
        self.bias = nn.Parameter(torch.zeros(V))
        self.dense = nn.Linear(D, D)
        self.act = activation()
        self.norm = BERTNorm(D)
        self.decoder = nn.Linear(D, V, bias=False)
        self.decoder.weight = embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.act(self.dense(x)))  # (B, N, D)
        return self.decoder(x) + self.bias  # (B, N, V)


class PreTrainingHead(nn.Module):
    """Both pre-training tasks: masked tokens (B, N, V), and whether B follows A (B, 2)."""

    def __init__(
        self, embedding: nn.Embedding, num_classes: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.pooler = Pooler(embedding.embedding_dim)
        self.masked_lm = MaskedLMHead(embedding, num_classes, activation, dropout)
        self.next_sentence = nn.Linear(embedding.embedding_dim, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        masked_lm = self.masked_lm(x)  # (B, N, V)
        next_sentence = self.next_sentence(self.pooler(x))  # (B, 2)
        return masked_lm, next_sentence


class ClassificationHead(nn.Module):
    """A label for the text, from the pooled first token (section 4.1). (B, N, D) -> (B, K)."""

    def __init__(
        self, embedding: nn.Embedding, num_classes: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.pooler = Pooler(embedding.embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(embedding.embedding_dim, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(self.pooler(x)))  # (B, K)


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """Hyper-parameters of a BERT (section 3)."""

    depth: int = knob(4, "Encoder blocks (L)", axis="depth", ge=1, le=48)
    embed_dim: int = knob(256, "Token width D (H)", axis="width", ge=64, le=2048, step=64)
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(4, "Attention heads h (A)", axis="heads", ge=1, le=32)
    seq_len: int = knob(512, "Sequence length N", axis="resolution", ge=16, le=2048, step=16)
    max_seq_len: int = knob(
        512, "Longest sequence: number of position embeddings", ge=16, le=2048, step=16
    )
    vocab_size: int = knob(30522, "Vocabulary size V (WordPieces)", ge=2, le=262144)
    num_classes: int = knob(2, "Classes K of the ClassificationHead", ge=1, le=30000)
    dropout: float = knob(
        0.1, "Dropout rate of embeddings, attention and sub-layers", ge=0.0, le=0.9, step=0.05
    )
    head: type[nn.Module] = knob(
        PooledFeatures,
        "Task head",
        options=(PooledFeatures, MaskedLMHead, PreTrainingHead, ClassificationHead),
    )
    activation: type[nn.Module] = knob(
        nn.GELU, "Activation of the MLP", options=(nn.GELU, nn.ReLU, nn.SiLU)
    )

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")
        if self.seq_len > self.max_seq_len:
            raise ValueError(
                f"seq_len={self.seq_len} must not exceed max_seq_len={self.max_seq_len}"
            )


class BERT(nn.Module):
    """Embeddings, L bidirectional encoder blocks, a head."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        D, dropout = config.embed_dim, config.dropout
        self.embed = BERTEmbedding(config.vocab_size, config.max_seq_len, D, dropout)
        self.blocks = nn.ModuleList(
            BERTBlock(D, config.num_heads, round(D * config.mlp_ratio), config.activation, dropout)
            for _ in range(config.depth)
        )
        self.head = config.head(self.embed.token, config.num_classes, config.activation, dropout)
        self.init_weights()

    def init_weights(self) -> None:
        """Truncated normal, σ = 0.02, in weights and embeddings; zero biases (official code)."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self, tokens: Tensor, segments: Tensor | None = None, padding: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Tokens (B, N) below vocab_size, to the output of the head.

        `segments` (B, N) is 0 for the first text and 1 for the second, by default all 0. `padding`
        (B, N) is true at padding tokens, which no token attends to.
        """
        segments = torch.zeros_like(tokens) if segments is None else segments  # (B, N)
        x = self.embed(tokens, segments)  # (B, N, D)
        mask = None if padding is None else ~padding[:, None, None]  # (B, 1, 1, N)
        for block in self.blocks:
            x = block(x, mask)  # (B, N, D)
        return self.head(x)


def example(config: BERTConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of token sequences (B, N), each of one segment and without padding."""
    return (torch.randint(config.vocab_size, (batch, config.seq_len)),)


def bert(
    depth: int,
    embed_dim: int,
    head: type[nn.Module] = PooledFeatures,
    *,
    vocab_size: int = 30522,
    seq_len: int = 512,
) -> BERTConfig:
    """L blocks of width H: the papers' heads are 64 wide."""
    return BERTConfig(
        depth=depth,
        embed_dim=embed_dim,
        num_heads=embed_dim // 64,
        vocab_size=vocab_size,
        seq_len=seq_len,
        head=head,
    )


MODEL = "transformers BertModel"
MASKED = "transformers BertForMaskedLM"
BOTH = "transformers BertForPreTraining"
LABEL = "transformers BertForSequenceClassification, 2 labels, at 128 tokens"

# fmt: off
PRESETS = (
    Preset("BERT-mini", bert(4, 256), 11_170_560, MODEL),
    Preset("BERT-tiny", bert(2, 128), 4_385_920, MODEL),
    Preset("BERT-small", bert(4, 512), 28_763_648, MODEL),
    Preset("BERT-medium", bert(8, 512), 41_373_184, MODEL),
    Preset("BERT-base", bert(12, 768), 109_482_240, MODEL),
    Preset("BERT-large", bert(24, 1024), 335_141_888, MODEL),
    Preset("BERT-base cased", bert(12, 768, vocab_size=28996), 108_310_272, MODEL),
    Preset("BERT-large cased", bert(24, 1024, vocab_size=28996), 333_579_264, MODEL),
    Preset("BERT-base multilingual cased", bert(12, 768, vocab_size=119547), 177_853_440, MODEL),
    Preset("BERT-base Chinese", bert(12, 768, vocab_size=21128), 102_267_648, MODEL),
    Preset("BERT-tiny masked LM", bert(2, 128, MaskedLMHead), 4_416_698, MASKED),
    Preset("BERT-mini masked LM", bert(4, 256, MaskedLMHead), 11_201_594, MASKED),
    Preset("BERT-small masked LM", bert(4, 512, MaskedLMHead), 28_795_194, MASKED),
    Preset("BERT-medium masked LM", bert(8, 512, MaskedLMHead), 41_404_730, MASKED),
    Preset("BERT-base masked LM", bert(12, 768, MaskedLMHead), 109_514_298, MASKED),
    Preset("BERT-large masked LM", bert(24, 1024, MaskedLMHead), 335_174_458, MASKED),
    Preset("BERT-base pre-training", bert(12, 768, PreTrainingHead), 110_106_428, BOTH),
    Preset("BERT-large pre-training", bert(24, 1024, PreTrainingHead), 336_226_108, BOTH),
    Preset("BERT-base classifier", bert(12, 768, ClassificationHead, seq_len=128), 109_483_778, LABEL),  # noqa: E501
    Preset("BERT-large classifier", bert(24, 1024, ClassificationHead, seq_len=128), 335_143_938, LABEL),  # noqa: E501
)
# fmt: on

TABLE_7 = "Devlin et al. 2019, Table 7 (test set, fine-tuned)"
MINIATURES = "google-research/bert, README, miniature models (GLUE test server)"
MULTILINGUAL = "google-research/bert, multilingual.md"
TABLE_1 = "Devlin et al. 2019, Table 1 (GLUE test server, without WNLI)"
TABLE_2 = "Devlin et al. 2019, Table 2 (development set, one model, no added data)"

FAMILY = Family(
    title="BERT (encoder)",
    config=BERTConfig,
    model=BERT,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("language", "classification"),
        data="large",
        use_when="text is to be labelled, searched, compared or tagged, with pre-trained weights",
        avoid_when="text is to be written: it fills gaps, it does not continue (take GPT or Llama)",
        strengths=(
            "every token's vector depends on the text on both sides of it",
            "one encoder for every task of understanding, with one added layer",
            "sizes from 4 to 340 million parameters, all pre-trained",
        ),
        cost=r"$12 L D^2$ parameters besides $(V + N) D$ of embeddings; "
        r"$L(12 N D^2 + 2 N^2 D)$ MACs",
        related=("attention", "gpt", "llama"),
        results=(
            *results("GLUE average", "", TABLE_1, {"BERT-base": 79.6, "BERT-large": 82.1}),
            *results(
                "GLUE SST-2 accuracy",
                "%",
                TABLE_1,
                {"BERT-base classifier": 93.5, "BERT-large classifier": 94.9},
            ),
            *results("SQuAD 1.1 F1", "%", TABLE_2, {"BERT-base": 88.5, "BERT-large": 90.9}),
            *results(
                "CoNLL-2003 F1", "%", TABLE_7, {"BERT-base cased": 92.4, "BERT-large cased": 92.8}
            ),
            *results(
                "GLUE score",
                "",
                MINIATURES,
                {"BERT-tiny": 64.2, "BERT-mini": 65.8, "BERT-small": 71.2, "BERT-medium": 73.5},
            ),
            *results(
                "XNLI accuracy, English", "%", MULTILINGUAL, {"BERT-base multilingual cased": 81.9}
            ),
            *results("XNLI accuracy, Chinese", "%", MULTILINGUAL, {"BERT-base Chinese": 77.2}),
        ),
    ),
)
