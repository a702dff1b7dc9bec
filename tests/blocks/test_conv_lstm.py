"""The convolutional LSTM is equation 3 of Shi et al. 2015, and on single pixels it is an LSTM."""

from __future__ import annotations

import torch
from torch import nn

from studio.blocks.conv_lstm import ConvLSTMLayer


def test_on_single_pixels_it_is_the_lstm_of_torch() -> None:
    torch.manual_seed(0)
    ours, torchs = ConvLSTMLayer(3, 5, 1, (1, 1), frames=7), nn.LSTM(3, 5, batch_first=True)
    with torch.no_grad():
        torchs.weight_ih_l0.copy_(ours.input.weight.flatten(1))
        torchs.weight_hh_l0.copy_(ours.state.weight.flatten(1))
        torchs.bias_ih_l0.copy_(ours.input.bias)
        torchs.bias_hh_l0.zero_()
    x = torch.randn(2, 7, 3)
    expected, _ = torchs(x)
    found = ours(x.reshape(14, 3, 1, 1)).reshape(2, 7, 5)
    torch.testing.assert_close(found, expected)


def test_gates_see_the_cell_of_their_pixel_and_the_last_one_the_new_cell() -> None:
    torch.manual_seed(0)
    layer = ConvLSTMLayer(2, 3, 3, (4, 6), frames=2)
    nn.init.normal_(layer.peephole)
    frames = torch.randn(1, 2, 2, 4, 6)
    hidden = cell = torch.zeros(1, 3, 4, 6)
    W_ci, W_cf, W_co = layer.peephole
    for t in range(2):
        i, f, g, o = (layer.input(frames[:, t]) + layer.state(hidden)).split(3, dim=1)
        new = (f + W_cf * cell).sigmoid() * cell + (i + W_ci * cell).sigmoid() * g.tanh()
        hidden, cell = (o + W_co * new).sigmoid() * new.tanh(), new
        torch.testing.assert_close(layer(frames.flatten(0, 1))[t : t + 1], hidden)
