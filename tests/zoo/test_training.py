"""Every parameter of every family learns: one training step reaches it with a finite gradient."""

from __future__ import annotations

import pytest
import torch

import studio
from studio.family import Design, Family
from tests.designs import options, tensors


def step(design: Design) -> None:
    torch.manual_seed(0)
    model = studio.build(design).train()
    outputs = tensors(model(*studio.example(design, batch=4)))
    assert all(output.isfinite().all() for output in outputs)
    sum(output.square().mean() for output in outputs).backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue  # frozen, as in DETR's first stages
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("family", studio.families().values(), ids=list(studio.families()))
def test_every_parameter_of_a_small_member_gets_a_finite_gradient(family: Family) -> None:
    for label, design in options(family):
        print(label)  # shown where it fails
        step(design)
