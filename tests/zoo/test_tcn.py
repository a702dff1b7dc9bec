"""A temporal convolutional network sees what it says it sees: the past, and no further."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

import studio
from studio.blocks.temporal_block import CausalConv
from studio.zoo.tcn import TCN, EveryStepHead, TCNConfig


def seen(config: TCNConfig, step: int) -> list[int]:
    """The input steps that the output of a step depends on."""
    torch.manual_seed(0)
    model = TCN(config).double()
    for parameter in model.parameters():  # positive, so that no ReLU closes a path
        torch.nn.init.uniform_(parameter, 0.1, 1.0)
    x = torch.rand(1, config.input_size, config.seq_len, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(model(x)[0, step].sum(), x)
    return slope.abs().sum(dim=(0, 1)).nonzero().flatten().tolist()


@pytest.mark.parametrize(("depth", "kernel_size"), [(1, 2), (2, 3), (3, 2), (3, 4)])
def test_an_output_is_made_of_the_receptive_field_and_of_nothing_later(
    depth: int, kernel_size: int
) -> None:
    config = TCNConfig(
        depth=depth, kernel_size=kernel_size, width=3, seq_len=64, head=EveryStepHead
    )
    steps = seen(config, step=50)
    assert max(steps) == 50
    assert min(steps) == 51 - config.receptive_field


def test_the_receptive_fields_of_the_papers_tasks_cover_them() -> None:
    for name in ("TCN adding problem", "TCN copy memory T=1000", "TCN sequential MNIST"):
        config = studio.design("tcn", preset=name).config
        assert config.receptive_field >= config.seq_len


def test_weight_norm_is_that_of_torch() -> None:
    ours = CausalConv(3, 5, kernel_size=4, dilation=2)
    torchs = weight_norm(torch.nn.Conv1d(3, 5, 4, dilation=2))
    with torch.no_grad():
        ours.weight_g.mul_(torch.rand(5, 1, 1) + 0.5)
        torchs.bias.copy_(ours.bias)
        torchs.parametrizations.weight.original0.copy_(ours.weight_g)
        torchs.parametrizations.weight.original1.copy_(ours.weight_v)
    x = torch.randn(2, 3, 20)
    torch.testing.assert_close(ours(x), torchs(F.pad(x, (6, 0))))


def test_a_head_cannot_be_tied_to_an_embedding_that_is_not_there() -> None:
    with pytest.raises(studio.DesignError, match=r"tied_head=True .* embedding=Identity"):
        studio.design("tcn", tied_head=True)
