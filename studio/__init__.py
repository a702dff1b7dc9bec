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
from importlib import import_module
from typing import TYPE_CHECKING, Any

from studio.knobs import DesignError
from studio.measure.request import Conditions, MeasureError, Measurement

if TYPE_CHECKING:
    from torch import Tensor, nn

    from studio.analysis.profile import Profile
    from studio.family import Design, Family

__all__ = [
    "Design",
    "DesignError",
    "Family",
    "MeasureError",
    "Measurement",
    "Profile",
    "build",
    "design",
    "example",
    "export",
    "families",
    "measure",
    "profile",
]

# Two rooms share their names with functions below. A room takes its name in this module when it is
# first imported, so that has to be now, before the functions take it.
import_module("studio.export")
import_module("studio.measure")

# Torch takes a second to import. `studio --help` does not wait for it: the rooms that need it are
# imported where they are used.
TYPES = {"Design": "studio.family", "Family": "studio.family", "Profile": "studio.analysis.profile"}


def __getattr__(name: str) -> Any:
    if name in TYPES:
        return getattr(import_module(TYPES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def families() -> Mapping[str, Family]:
    """Every family of architectures by its key, sorted."""
    from studio import zoo

    return zoo.families()


def design(family: str, preset: str | None = None, **knobs: object) -> Design:
    """A member of a family: a preset (by default the first one) with some knobs set.

    Raises DesignError with one sentence: the knob, the value, and the nearest that works.
    """
    from studio import zoo

    return zoo.family(family).design(preset, **knobs)


def build(design: Design, device: str = "cpu") -> nn.Module:
    """The design's module with fresh weights; on "meta" it takes no memory and has no values."""
    import torch

    from studio.analysis.blueprint import blueprint

    if device == "meta":
        return blueprint(design)
    with torch.device(device):
        return design.family.model(design.config)


def example(design: Design, batch: int = 1) -> tuple[Tensor, ...]:
    """Random inputs for the design's module, on the default device."""
    return design.family.example(design.config, batch)


def profile(design: Design, batch: int = 1) -> Profile:
    """What the design costs: parameters, multiply-accumulates, memory, layer by layer.

    Takes milliseconds and no memory, whatever the size. Raises DesignError for a bad batch.
    """
    from studio.analysis.profile import profile

    return profile(design, batch)


def measure(design: Design, device: str = "cpu", batch: int = 1) -> Measurement:
    """How long a forward pass of the exported code takes, in a process of its own.

    Raises MeasureError with one sentence where the memory is too small or the device is missing.
    """
    from studio import forms
    from studio.measure.sweep import measure

    return measure(forms.subject(design, batch), Conditions(batch=batch, device=device))


def export(design: Design, form: str = "script", *, link: str = "") -> str:
    """The design as text: a "script" that needs torch alone, an "svg", "dot", or "json".

    `link` is what the script says reopens the design. Raises DesignError for another form.
    """
    from studio import forms

    return forms.export(design, form, link)
