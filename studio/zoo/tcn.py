r"""A temporal convolutional network reads a sequence with convolutions that look back, never ahead.

Three ideas make a convolution a rival of the recurrent network (section 3):

- **Causal.** The output at step $t$ depends on steps up to $t$. The input is padded by $p = (k -
  1)\,d$ zeros, and the extra outputs at the end are cut off ("chomped").
- **Dilated.** A kernel of $k$ taps, $d$ steps apart (equation 2), reaches back $(k-1)\,d$ steps,
  and $d = 2^i$ doubles from level to level.
- **Residual.** A level is a block of two such convolutions whose result is added to its input, so
  that many levels train well.

**The receptive field** is how far back an output can see. Each level adds $2(k-1)2^i$ steps, so
that $n$ levels see

$$1 + 2\,(k-1)\,(2^n - 1) \text{ steps:}$$

it doubles with each level, but grows only linearly with the kernel size. *It must cover the
dependencies of the task*: with $k = 7$ and 8 levels it is 3,061 steps, enough for the 784 pixels of
a digit read one by one; with 6 levels it is 757 and the first pixels are out of reach, however long
one trains. The config computes it (`receptive_field`).

**Weight norm.** Every kernel is written as a direction and a length, $w = g\,v / \lVert v \rVert$,
with one gain $g$ per output channel, which stabilises training; batch norm would mix time steps.

**What to watch.** All steps are computed at once, so training is quick where a recurrent network
waits for each step. But in streaming use it has to store its whole receptive field, where a
recurrent network keeps one state. Parameters grow with $k n H^2$ and not with the length. The
official code pads both ends and chomps one; so does this model, and the MACs count the $p$
discarded steps.

A signal comes as F features per step. Text comes as tokens and is embedded; with `tied_head` the
last level is as wide as the embedding.

Shapes: B batch, F input_size, T steps (seq_len), H width, C channels, K num_classes, k kernel_size,
n depth.

Paper: Bai, Kolter & Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent
Networks for Sequence Modeling", 2018, https://arxiv.org/abs/1803.01271; Salimans & Kingma (weight
norm), NeurIPS 2016, https://arxiv.org/abs/1602.07868

Official code: https://github.com/locuslab/TCN
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.temporal_block import TemporalBlock
from studio.family import Family, Guide, Preset, results
from studio.knobs import knob


class StepEmbedding(nn.Module):
    """Token embeddings with channels first, as nn.Conv1d expects. (B, T) -> (B, F, T)."""

    def __init__(self, vocab_size: int, input_size: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocab_size, input_size) * 0.01)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.dropout(F.embedding(tokens, self.weight))  # (B, T, F)
        return x.transpose(1, 2)  # (B, F, T)


class LastStepHead(nn.Module):
    """One output per sequence, from the last step. (B, H, T) -> (B, K)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x[:, :, -1])  # (B, K)


class EveryStepHead(nn.Module):
    """One output per step, such as the next word or chord. (B, H, T) -> (B, T, K)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.transpose(1, 2))  # (B, T, K)


@dataclass(frozen=True, kw_only=True)
class TCNConfig:
    """Hyper-parameters of a TCN (Table 2 of the paper), in brackets as the paper writes them."""

    depth: int = knob(8, "Levels (n); each doubles the dilation", axis="depth", ge=1, le=12)
    width: int = knob(30, "Channels H of each level (hidden)", axis="width", ge=1, le=2048)
    kernel_size: int = knob(7, "Kernel size k", ge=2, le=16)
    seq_len: int = knob(400, "Time steps T", axis="resolution", ge=1, le=8192)
    input_size: int = knob(2, "Features F of a step, or embedding dimension", ge=1, le=2048)
    num_classes: int = knob(1, "Outputs K; the vocabulary size for tokens", ge=1, le=262144)
    dropout: float = knob(0.0, "Dropout rate after each convolution", ge=0.0, le=0.9, step=0.05)
    embedding: type[nn.Module] = knob(
        nn.Identity,
        "Embedding for tokens; Identity for numeric features",
        options=(nn.Identity, StepEmbedding),
    )
    head: type[nn.Module] = knob(
        LastStepHead,
        "Output: one per sequence, or one per step",
        options=(LastStepHead, EveryStepHead),
    )
    tied_head: bool = knob(False, "Tie the output layer to the embedding")

    def __post_init__(self) -> None:
        if self.tied_head and self.embedding is nn.Identity:
            raise ValueError(
                "tied_head=True needs a matrix to share, and embedding=Identity has none"
            )

    @property
    def receptive_field(self) -> int:
        """Steps that an output depends on, itself included: compare it with `seq_len`."""
        return 1 + 2 * (self.kernel_size - 1) * (2**self.depth - 1)


class TCN(nn.Module):
    """An embedding or none, a block for each level, a head."""

    def __init__(self, config: TCNConfig) -> None:
        super().__init__()
        K, size = config.num_classes, config.input_size
        last = size if config.tied_head else config.width
        widths = (size, *[config.width] * (config.depth - 1), last)
        # nn.Identity takes the arguments of the layer it stands for, and ignores them.
        self.embedding = config.embedding(K, size, config.dropout)
        self.network = nn.Sequential(
            *(
                TemporalBlock(widths[i], widths[i + 1], config.kernel_size, 2**i, config.dropout)
                for i in range(config.depth)
            )
        )
        self.head = config.head(last, K)
        if config.tied_head:
            linear = self.head.get_submodule("linear")
            linear.weight = self.embedding.get_parameter("weight")

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, F, T) or tokens (B, T), to logits (B, K) or (B, T, K)."""
        x = self.embedding(x)  # (B, F, T)
        x = self.network(x)  # (B, H, T)
        return self.head(x)


def example(config: TCNConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of sequences: features (B, F, T), or tokens (B, T) for a StepEmbedding."""
    if config.embedding is nn.Identity:
        return (torch.randn(batch, config.input_size, config.seq_len),)
    return (torch.randint(config.num_classes, (batch, config.seq_len)),)


def tcn(
    depth: int,
    width: int,
    kernel_size: int,
    seq_len: int,
    input_size: int,
    num_classes: int,
    dropout: float = 0.0,
) -> TCNConfig:
    """A network on numeric features with one output, at the end."""
    return TCNConfig(
        depth=depth,
        width=width,
        kernel_size=kernel_size,
        seq_len=seq_len,
        input_size=input_size,
        num_classes=num_classes,
        dropout=dropout,
    )


def language_model(
    depth: int, width: int, embed_dim: int, vocab_size: int, seq_len: int, dropout: float
) -> TCNConfig:
    """Predicts the next token at every step; kernel size 3, tied embedding."""
    network = tcn(depth, width, 3, seq_len, embed_dim, vocab_size, dropout)
    return replace(network, embedding=StepEmbedding, head=EveryStepHead, tied_head=True)


ADDING = tcn(8, 30, 7, 400, 2, 1)
ADDING_600 = tcn(8, 24, 8, 600, 2, 1)
COPY = replace(tcn(8, 10, 8, 1020, 1, 10), head=EveryStepHead)  # 1,000 blanks, twice 10 digits
MNIST = tcn(8, 25, 7, 784, 1, 10, dropout=0.05)
CHORDS = replace(tcn(4, 150, 5, 256, 88, 88, dropout=0.25), head=EveryStepHead)
CHORDS_PAPER = replace(CHORDS, kernel_size=6, dropout=0.2)
PTB_WORD = language_model(4, 600, 600, 10000, 80, dropout=0.45)
PTB_CHAR = language_model(3, 450, 100, 50, 400, dropout=0.1)

CODE = "locuslab/TCN, default of "
TABLE_2 = "Bai et al. 2018, Table 2"

# fmt: off
PRESETS = (
    Preset("TCN adding problem", ADDING, 96_001, CODE + "adding_problem"),
    Preset("TCN adding problem T=600", ADDING_600, 70_369, TABLE_2),
    Preset("TCN copy memory T=1000", COPY, 12_530, CODE + "copy_memory"),
    Preset("TCN sequential MNIST", MNIST, 66_910, CODE + "mnist_pixel (sequential and permuted)"),
    Preset("TCN Nottingham", CHORDS, 882_538, CODE + "poly_music, 88 keys"),
    Preset("TCN Nottingham (paper)", CHORDS_PAPER, 1_053_238, TABLE_2),
    Preset("TCN PTB word", PTB_WORD, 14_659_600, CODE + "word_cnn, 10,000 words"),
    Preset("TCN PTB character", PTB_CHAR, 2_222_100, CODE + "char_cnn, with 50 characters"),
)
# fmt: on

TABLE_1 = "Bai et al. 2018, Table 1"

FAMILY = Family(
    title="Temporal Convolutional Network",
    config=TCNConfig,
    model=TCN,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("time-series", "language"),
        data="small",
        use_when="order matters, the relevant history has a known length, and training should "
        "be quick",
        avoid_when="the relevant history has no bound, or each step must be computed with "
        "little memory: take a recurrent network",
        strengths=(
            "all steps are computed at once, in training as in use",
            "the receptive field is known beforehand, and set by depth and kernel size",
            "gradients run through a few levels and not through every step of time",
        ),
        cost=r"about $2 n k H^2$ parameters, whatever the length; $2 n k H^2$ MACs a step, and a "
        r"receptive field of $1 + 2 (k - 1)(2^n - 1)$ steps",
        related=("recurrent", "attention", "cnn"),
        results=(
            *results("Sequential MNIST accuracy", "%", TABLE_1, {"TCN sequential MNIST": 99.0}),
            *results("Nottingham loss", "nats", TABLE_1, {"TCN Nottingham (paper)": 3.07}),
            *results("Penn Treebank perplexity", "", TABLE_1, {"TCN PTB word": 88.68}),
            *results("Penn Treebank bits per character", "", TABLE_1, {"TCN PTB character": 1.31}),
            *results(
                "Adding problem loss, T = 600", "", TABLE_1, {"TCN adding problem T=600": 5.8e-05}
            ),
            *results(
                "Copy memory loss, T = 1000", "", TABLE_1, {"TCN copy memory T=1000": 3.5e-05}
            ),
        ),
    ),
)
