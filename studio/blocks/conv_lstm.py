"""The convolutional LSTM: an LSTM whose states are maps (Shi et al. 2015, equation 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvLSTMLayer(nn.Module):
    r"""An LSTM over the frames of a clip, with convolutions instead of matrix products, and with
    peepholes: gates that read the cell of their own pixel ($W_{c\cdot} \circ C$).

    The frames of a clip follow each other in the batch. (B·T, C, H, W) -> (B·T, D, H, W).
    """

    def __init__(
        self, in_channels: int, width: int, kernel_size: int, size: tuple[int, int], frames: int
    ) -> None:
        super().__init__()
        self.frames = frames
        padding = kernel_size // 2
        self.input = nn.Conv2d(in_channels, 4 * width, kernel_size, padding=padding)
        self.state = nn.Conv2d(width, 4 * width, kernel_size, padding=padding, bias=False)
        # The peepholes W_ci, W_cf and W_co; zero at first, as in an LSTM without them.
        self.peephole = nn.Parameter(torch.zeros(3, width, *size))

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)  # (B·T, 4*D, H, W)
        x = x.reshape(-1, self.frames, *x.shape[1:])  # (B, T, 4*D, H, W)
        hidden = cell = torch.zeros_like(x[:, 0].chunk(4, dim=1)[0])  # (B, D, H, W)
        states = []
        for t in range(self.frames):
            hidden, cell = self.step(x[:, t], hidden, cell)
            states.append(hidden)
        return torch.stack(states, dim=1).flatten(0, 1)  # (B·T, D, H, W)

    def step(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Equation 3: a frame (B, 4·D, H, W) and the states (B, D, H, W) to the next states."""
        i, f, g, o = (x + self.state(hidden)).chunk(4, dim=1)
        i = torch.sigmoid(i + self.peephole[0] * cell)
        f = torch.sigmoid(f + self.peephole[1] * cell)
        cell = f * cell + i * torch.tanh(g)
        o = torch.sigmoid(o + self.peephole[2] * cell)
        return o * torch.tanh(cell), cell
