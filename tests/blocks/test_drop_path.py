"""Stochastic depth leaves out whole samples in training, and rests in evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.blocks.drop_path import DropPath, drop_paths


@pytest.mark.parametrize("shape", [(4000, 3), (4000, 2, 5), (4000, 2, 2, 2)])
def test_a_sample_is_dropped_whole_or_kept_at_a_larger_scale(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(shape)).flatten(1)
    kept = out[:, 0] > 0
    assert (out == out[:, :1]).all()
    assert torch.equal(out[kept], torch.full_like(out[kept], 1 / 0.75))
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)


def test_nothing_happens_in_evaluation_nor_at_rate_zero() -> None:
    x = torch.randn(8, 3)
    assert DropPath(0.9).eval()(x) is x
    assert torch.equal(DropPath(0.0).train()(x), x)


def test_the_rates_rise_linearly_to_the_last_block() -> None:
    rates = [float(block.rate) for block in drop_paths(0.3, 4) if isinstance(block, DropPath)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert all(isinstance(block, nn.Identity) for block in drop_paths(0.0, 4))


def test_a_rate_is_no_part_of_the_weights() -> None:
    assert DropPath(0.5).state_dict() == {}
