"""The neural architecture studio, as a library.

import studio

d = studio.design("vit", preset="ViT-B/16", depth=6)
studio.profile(d).params                # counted on the real model, without its memory
model = studio.build(d)                 # the torch module
print(studio.export(d))                 # its code: one file that needs torch alone
studio.measure(d).median_s              # seconds a forward pass takes on this machine
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from studio import zoo
from studio.analysis.blueprint import blueprint
from studio.analysis.profile import Profile, profile
from studio.family import Design, DesignError, Family

__all__ = [
    "Design",
    "DesignError",
    "Family",
    "Profile",
    "build",
    "design",
    "example",
    "families",
    "profile",
]


def families() -> Mapping[str, Family]:
    """Every family of architectures by its key, sorted."""
    return zoo.families()


def design(family: str, preset: str | None = None, **knobs: object) -> Design:
    """A member of a family: a preset (by default the first one) with some knobs set.

    Raises DesignError with one sentence: the knob, the value, and the nearest that works.
    """
    return zoo.family(family).design(preset, **knobs)


def build(design: Design, device: str = "cpu") -> nn.Module:
    """The design's module with fresh weights; on "meta" it takes no memory and has no values."""
    if device == "meta":
        return blueprint(design)
    with torch.device(device):
        return design.family.model(design.config)


def example(design: Design, batch: int = 1) -> tuple[Tensor, ...]:
    """Random inputs for the design's module, on the default device."""
    return design.family.example(design.config, batch)
