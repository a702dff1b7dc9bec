"""Dropout as Zaremba et al. have it: on what enters and what leaves, not in the recurrence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import studio


@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_falls_on_what_enters_and_what_leaves_the_layers(depth: int) -> None:
    design = studio.design("recurrent", depth=depth, dropout=0.5, vocab_size=50, seq_len=40)
    model: Any = studio.build(design)
    seen: list[Tensor] = []
    for part in (model.rnn, model.head):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for training in (True, False):
        model.train(training)(*studio.example(design, batch=2))
    shares = [(x == 0).float().mean().item() for x in seen]
    assert shares == pytest.approx([0.5, 0.5, 0.0, 0.0], abs=0.05)
    assert all(torch.isfinite(x).all() for x in seen)
