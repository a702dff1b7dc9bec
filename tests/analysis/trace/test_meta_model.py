"""A blueprint is the real model without numbers, and no other model notices that it is drawn."""

from __future__ import annotations

from threading import Thread

import pytest
import torch
from torch import nn

import studio
from studio.analysis.trace.meta_model import build_on_meta, meta_construction

FAMILIES = studio.families()


@pytest.mark.parametrize("key", ["vit", "resnet", "recurrent", "unet"])
def test_a_blueprint_has_the_tensors_and_attributes_of_the_model(key: str) -> None:
    design = FAMILIES[key].design()
    with torch.device("meta"):
        real = design.family.model(design.config).eval()
    for drawn, made in zip(build_on_meta(design).modules(), real.modules(), strict=True):
        assert list(vars(drawn)) == list(vars(made))
        for name, tensor in made.named_parameters(recurse=False):
            assert drawn.get_parameter(name).shape == tensor.shape
            assert drawn.get_parameter(name).requires_grad == tensor.requires_grad


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
