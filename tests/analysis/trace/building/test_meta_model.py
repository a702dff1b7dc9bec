"""A blueprint is the real model without numbers, and no other model notices that it is drawn."""

from __future__ import annotations

from threading import Thread

import pytest
import torch
from torch import nn

import studio
from studio.analysis.trace.building.meta_model import build_on_meta, meta_construction
from studio.analysis.trace.memo import Memo
from studio.analysis.trace.module_index import index_modules
from tests.designs import corners, small

FAMILIES = studio.families()


@pytest.mark.parametrize("key", FAMILIES)
def test_a_blueprint_has_the_tensors_and_attributes_of_the_model(key: str) -> None:
    family = FAMILIES[key]
    for label, design in [("default", family.design()), *corners(family, small(family))]:
        with torch.device("meta"):
            real = design.family.model(design.config).eval()
        drawn, signatures = build_on_meta(design), Memo().signatures
        # One number stands for all classes, attributes, shapes and ties.
        numbers = [index_modules(m, signatures).facts[m].signature for m in (drawn, real)]
        assert numbers[0] == numbers[1], label
        for one, other in zip(drawn.modules(), real.modules(), strict=True):
            assert list(vars(one)) == list(vars(other))


def test_a_model_that_another_thread_builds_meanwhile_is_set() -> None:
    made: list[nn.Linear] = []

    def build() -> None:
        with torch.device("cpu"):
            made.append(nn.Linear(2, 2, bias=False))
            nn.init.ones_(made[0].weight)
            made[0].reset_parameters()

    with meta_construction():
        thread = Thread(target=build)
        thread.start()
        thread.join()
        assert nn.Linear(2, 2).weight.is_meta
    assert (made[0].weight != 1).all()
    assert "reset_parameters" not in vars(made[0])


def test_a_blueprint_that_fails_leaves_no_trace() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), meta_construction():
        Broken()
    layer = nn.Linear(2, 2, bias=False)
    assert "reset_parameters" not in vars(layer)
    assert not layer.weight.is_meta
