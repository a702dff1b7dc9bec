"""Widths round as in the official code; the shortcut is there where the shapes allow it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from studio.blocks.inverted_residual import InvertedResidual, make_divisible
from studio.blocks.squeeze_excite import SqueezeExcite


@given(st.floats(0.1, 5000), st.sampled_from([4, 8, 16]))
def test_a_rounded_width_is_near_and_never_much_thinner(channels: float, divisor: int) -> None:
    rounded = make_divisible(channels, divisor)
    assert rounded % divisor == 0
    assert rounded >= max(divisor, 0.9 * channels)
    assert rounded <= max(divisor, channels + divisor)


@pytest.mark.parametrize(
    ("channels", "rounded"), [(32 * 0.35, 16), (24 * 0.75, 24), (16 * 1.4, 24), (184, 184), (3, 8)]
)
def test_widths_round_as_published(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded


@pytest.mark.parametrize(("out_channels", "stride", "adds"), [(8, 1, 1), (8, 2, 0), (16, 1, 0)])
def test_the_input_is_added_where_the_shapes_allow(
    out_channels: int, stride: int, adds: int
) -> None:
    block = InvertedResidual(
        8,
        24,
        out_channels,
        3,
        stride,
        squeeze=nn.Identity(),
        drop_path=nn.Identity(),
        norm=nn.BatchNorm2d,
        activation=nn.ReLU6,
    ).eval()
    for parameter in block.project.parameters():
        nn.init.zeros_(parameter)  # all that the block adds is nothing
    x = torch.randn(2, 8, 6, 6)
    out = block(x)
    assert out.shape == (2, out_channels, 6 // stride, 6 // stride)
    assert torch.equal(out, adds * x if adds else torch.zeros_like(out))


def test_each_channel_is_weighed_by_the_means_of_all() -> None:
    torch.manual_seed(0)
    layer = SqueezeExcite(8, 2, activation=nn.ReLU, gate=nn.Sigmoid)
    x = torch.rand(2, 8, 5, 5) + 0.1
    weight = layer(x) / x
    assert ((weight > 0) & (weight < 1)).all()
    torch.testing.assert_close(weight, weight[:, :, :1, :1].expand_as(weight))
    shuffled = x.flatten(2)[:, :, torch.randperm(25)].view_as(x)
    torch.testing.assert_close(layer(shuffled) / shuffled, weight)
