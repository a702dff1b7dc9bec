"""The position-wise feed-forward network of a transformer block (Vaswani et al. 2017, 3.3)."""

from __future__ import annotations

from torch import Tensor, nn


class MLP(nn.Module):
    """Two linear layers with an activation between, applied to each token on its own.

    (B, N, D) -> (B, N, D), through `hidden_dim` features.
    """

    def __init__(
        self, embed_dim: int, hidden_dim: int, activation: type[nn.Module], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        self.act = activation()
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc1(x))  # (B, N, hidden)
        x = self.dropout(x)
        x = self.fc2(x)  # (B, N, D)
        return self.dropout(x)
