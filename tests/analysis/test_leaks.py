"""Whatever looks at a model lets go of it: else a server grows with every design."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from torch import nn

import studio
from studio.analysis import memory
from studio.analysis.profile import forget, profile, training_trace
from studio.app import figures
from studio.app.case import Case
from studio.family import Design
from tests.designs import small

LOOKS: dict[str, Callable[[Design], object]] = {
    "profile": profile,
    "training trace": lambda design: training_trace(design, 1),
    "inference simulated": lambda design: memory.peak(design, 1, "inference"),
    "training simulated": lambda design: memory.peak(design, 2, "training"),
    "torchinfo": lambda design: figures.summary(Case(design)),
}


def alive() -> int:
    forget()
    gc.collect()
    return sum(issubclass(type(one), nn.Module) for one in gc.get_objects())


@pytest.mark.parametrize("look", LOOKS)
def test_no_model_outlives_what_was_asked_of_it(look: str) -> None:
    families = studio.families()
    LOOKS[look](small(families["vit"]))  # what torch itself keeps, once
    before = alive()
    for key in ("resnet", "gpt", "recurrent", "unet"):
        LOOKS[look](small(families[key]))
    assert alive() == before
