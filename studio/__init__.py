"""The neural architecture studio, as a library.

import studio

d = studio.design("vit", preset="ViT-B/16", depth=6)
studio.profile(d).params                # counted on the real model, on the meta device
model = studio.build(d)                 # the nn.Module
print(studio.export(d))                 # its code: one file that needs only torch
studio.measure(d).median_s              # latency of a forward pass on this machine, in seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.knobs import DesignError, Mode
from studio.process.errors import MeasureError
from studio.quoting import quoted
from studio.version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn

    from studio.analysis.cost.profiler import Profile
    from studio.family import Design, Family

__all__ = [
    "Design",
    "DesignError",
    "Family",
    "MeasureError",
    "Measurement",
    "Profile",
    "__version__",
    "as_stages",
    "build",
    "design",
    "design_from_json",
    "example",
    "export",
    "families",
    "measure",
    "profile",
    "report",
]

# Importing torch takes a second, and `studio --help` should not wait for it: rooms that need torch
# are imported where they are used.
TYPES = {
    "Design": "studio.family",
    "Family": "studio.family",
    "Profile": "studio.analysis.cost.profiler",
}


def __getattr__(name: str) -> Any:
    if name in TYPES:
        return getattr(import_module(TYPES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def families() -> Mapping[str, Family]:
    """All families of architectures by key, sorted."""
    from studio import zoo

    return zoo.families()


def design(family: str, preset: str | None = None, **knobs: object) -> Design:
    """A design of a family: a preset (by default the first) with some knobs changed.

    Raises DesignError, which names the knob, the value and the nearest values that work.
    """
    from studio import zoo

    return zoo.family(family).design(preset, **knobs)


def design_from_json(text: str | bytes) -> Design:
    """The design in a text written by `export(design, "json")`. Raises DesignError for others."""
    from studio import zoo

    return zoo.design_from_json(text)


def as_stages(design: Design) -> Design:
    """The same network as a composition, whose stages can be edited one by one.

    It has the same parameters and MACs and, with the same weights, the same outputs. Dropout and
    drop path, which act only in training, are left out. Raises DesignError for a family that is not
    made of stages.
    """
    _require(design)
    from studio import zoo

    return zoo.as_stages(design)


def _require(design: object) -> None:
    """Raises TypeError for anything else than a design, such as the name of a family."""
    from studio.family import Design

    if not isinstance(design, Design):
        example = quoted(design) if isinstance(design, str) else "'vit'"
        raise TypeError(
            f"expected a design, not {quoted(design)}; make one with studio.design({example})"
        )


def build(design: Design, device: str = "cpu") -> nn.Module:
    """The design's module with newly initialised weights; on "meta" it has no data.

    The module is in evaluation mode, as it is profiled and measured; call `train()` to train it.
    Raises DesignError for a device that this machine does not have.
    """
    _require(design)
    import torch

    from studio.analysis.trace.building.meta_model import build_on_meta
    from studio.process.device import devices, resolve_device

    if str(device) == "meta":
        return build_on_meta(design)
    try:
        place = torch.device(resolve_device(device))
    except MeasureError as missing:
        raise DesignError(
            str(missing), knob="device", value=device, nearest=(*devices(), "meta")
        ) from None
    with place:
        return design.family.model(design.config).eval()


def example(design: Design, batch: int = 1) -> tuple[Tensor, ...]:
    """Random inputs for the design's module, on torch's default device.

    Raises DesignError for a bad batch.
    """
    _require(design)
    from studio.family import BATCH

    return design.family.example(design.config, BATCH.read(batch))


def profile(design: Design, batch: int = 1) -> Profile:
    """The costs of a design, in total and per layer: parameters, multiply-accumulates, memory.

    It runs on the meta device: in milliseconds and without memory for the weights, whatever the
    size. Raises DesignError for a bad batch.
    """
    _require(design)
    from studio.analysis.cost.profiler import profile
    from studio.family import BATCH

    return profile(design, BATCH.read(batch))


def measure(
    design: Design,
    device: str = "cpu",
    batch: int = 1,
    *,
    mode: Mode = "inference",
    dtype: str = "float32",
    layout: str = "contiguous",
    compiled: bool = False,
    threads: int = 1,
    limit_s: float | None = None,
) -> Measurement:
    """The latency of the exported code, measured in a process of its own.

    With mode="inference" a forward pass is timed, with mode="training" a training step: forward,
    backward and an update by SGD. `dtype` is "float32", "bfloat16" or "float16", `layout`
    "contiguous" or "channels_last". `compiled` uses torch.compile, which may take minutes once.
    `limit_s` is the longest time for the measurement in seconds (default: 30, compiled 600).

    Raises MeasureError for other values, a missing device, too little memory or a limit that is too
    short, and DesignError for a bad batch; both say in one sentence what would work.
    """
    _require(design)
    from studio.family import BATCH
    from studio.process.backend import canonical_device
    from studio.workbench.workbench import Workbench
    from studio.workbench.workload import Workload

    conditions = Conditions(
        batch=BATCH.read(batch),
        device=canonical_device(device),
        mode=mode,
        dtype=dtype,
        layout=layout,
        compiled=compiled,
        threads=threads,
    )
    return Workbench().measure(Workload.under(design, conditions), limit_s)


def export(design: Design, form: str = "script", *, link: str = "", level: int = 0) -> str | bytes:
    """The design as a "script" that needs only torch, as "json", or as a picture of its layers.

    Pictures are "svg", "dot", an interactive "html", and "png", which is bytes; `level` is how many
    levels of blocks are expanded. `link` reopens the design and is written into scripts and
    pictures. Raises DesignError for another form or level.
    """
    _require(design)
    from studio import exports

    return exports.export(design, form, link, level)


def report(
    design: Design,
    form: str = "markdown",
    *,
    batch: int = 1,
    measured: Measurement | None = None,
    link: str = "",
) -> str:
    """A report on the design in five sections, as "markdown" or as one "html" file.

    `measured` is its latency, if known; `link` reopens the design. The first report on a design
    takes a few seconds. Raises DesignError for a bad batch and for another form.
    """
    _require(design)
    from studio.family import BATCH
    from studio.reporting import html, markdown
    from studio.reporting.sections import report

    forms = {"markdown": markdown.markdown, "html": html.html}
    if form not in tuple(forms):
        raise DesignError(
            f"unknown form {quoted(form)} of a report; use {' or '.join(forms)}",
            knob="form",
            value=form,
            nearest=tuple(forms),
        )
    return forms[form](report(design, BATCH.read(batch), measured, link=link))
