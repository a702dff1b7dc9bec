"""The position-wise feed-forward network of a transformer block (Vaswani et al. 2017, 3.3)."""

from __future__ import annotations

from torch import Tensor, nn


class MLP(nn.Module):
    """Two linear layers with an activation between, applied to each token on its own.

    (B, N, D) -> (B, N, D), through `hidden_dim` features.
    """

    def __init__(
        self,
        embed_dim: int,
        hidden_dim: int,
        activation: type[nn.Module],
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim, bias=bias)
        self.act = activation()
        self.fc2 = nn.Linear(hidden_dim, embed_dim, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc1(x))  # (B, N, hidden)
        x = self.dropout(x)
        x = self.fc2(x)  # (B, N, D)
        return self.dropout(x)


class TanhGELU(nn.GELU):
    """GELU by the tanh formula (Hendrycks & Gimpel 2016, section 2), as in GPT and T5 v1.1."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


class GatedMLP(nn.Module):
    """down(act(gate(x)) · up(x)): one half of the features decides how much of the other passes.

    With SiLU it is SwiGLU, with GELU GEGLU (Shazeer 2020, equation 6). No biases; three matrices
    where an MLP has two. (B, N, D) -> (B, N, D), through `hidden_dim` features.
    """

    def __init__(
        self, embed_dim: int, hidden_dim: int, activation: type[nn.Module], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(embed_dim, hidden_dim, bias=False)
        self.up = nn.Linear(embed_dim, hidden_dim, bias=False)
        self.down = nn.Linear(hidden_dim, embed_dim, bias=False)
        self.act = activation()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.gate(x)) * self.up(x)  # (B, N, hidden)
        x = self.dropout(x)
        return self.down(x)  # (B, N, D)
