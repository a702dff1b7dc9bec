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

from studio.bench.results import Conditions, Measurement
from studio.knobs import DesignError, Mode
from studio.process.errors import MeasureError, NoMemoryError
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

# Torch takes a second to import. `studio --help` does not wait for it: the rooms that need it are
# imported where they are used.
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
    """Every family of architectures by its key, sorted."""
    from studio import zoo

    return zoo.families()


def design(family: str, preset: str | None = None, **knobs: object) -> Design:
    """A member of a family: a preset (by default the first one) with some knobs set.

    Raises DesignError with one sentence: the knob, the value, and the nearest that works.
    """
    from studio import zoo

    return zoo.family(family).design(preset, **knobs)


def design_from_json(text: str | bytes) -> Design:
    """The design that `export(design, "json")` has written. Raises DesignError for other text."""
    from studio import zoo

    return zoo.design_from_json(text)


def as_stages(design: Design) -> Design:
    """The same network composed of stages, to be changed one by one: a design of the hybrid.

    Equal in parameters, compute and, with its weights, outputs; without dropout and drop path,
    which work in training alone. Raises DesignError for a family that is not made of stages.
    """
    _require(design)
    from studio import zoo

    return zoo.as_stages(design)


def _require(design: object) -> None:
    """Raises TypeError for what is no design, such as the name of a family."""
    from studio.family import Design

    if not isinstance(design, Design):
        example = quoted(design) if isinstance(design, str) else "'vit'"
        raise TypeError(
            f"a design is wanted, not {quoted(design)}; make one with studio.design({example})"
        )


def build(design: Design, device: str = "cpu") -> nn.Module:
    """The design's module with fresh weights; on "meta" it takes no memory and has no values.

    In evaluation mode, in which it is profiled and measured; to train it, call its `train()` first.
    Raises DesignError for a device that this machine has not.
    """
    _require(design)
    import torch

    from studio.analysis.trace.meta_model import build_on_meta
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
    """Random inputs for the design's module, on the default device. Raises DesignError."""
    _require(design)
    from studio.family import BATCH

    return design.family.example(design.config, BATCH.read(batch))


def profile(design: Design, batch: int = 1) -> Profile:
    """What the design costs: parameters, multiply-accumulates, memory, layer by layer.

    Takes milliseconds and no memory, whatever the size. Raises DesignError for a bad batch.
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
    """How long a call of the exported code takes, in a process of its own.

    A call is a forward pass, or with mode="training" a training step: forward, backward and an
    update by SGD. `dtype` is also "bfloat16" or "float16", `layout` also "channels_last";
    `compiled` is torch.compile, which may take a minute at first. `limit_s` is the longest that it
    may take in seconds (by default 30, compiled 600). Raises MeasureError with one sentence where
    one of these cannot be, the memory is too small, the device is missing or the limit is too
    short, and DesignError for a bad batch.
    """
    _require(design)
    from studio import admission
    from studio.bench.sweep import measure
    from studio.family import BATCH
    from studio.process.backend import canonical_device

    conditions = Conditions(
        batch=BATCH.read(batch),
        device=canonical_device(device),
        mode=mode,
        dtype=dtype,
        layout=layout,
        compiled=compiled,
        threads=threads,
    )
    subject = admission.subject(design, conditions, limit_s)
    try:
        return measure(
            subject, conditions, limit_s=limit_s or admission.default_limit_s(design, conditions)
        )
    except NoMemoryError as ran_out:
        raise admission.out_of_memory_error(design, conditions, ran_out) from None


def export(design: Design, form: str = "script", *, link: str = "", level: int = 0) -> str | bytes:
    """The design as text, "script" (which needs torch alone) or "json", or its picture.

    A picture is an "svg" for a paper, "dot", "html" to look into, or "png", which is bytes; `level`
    is how many levels of its blocks are open. `link` is what the script and the pictures say
    reopens the design. Raises DesignError for another form or level.
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

    `measured` is its latency where it is known, `link` what reopens the design. Takes a few seconds
    the first time. Raises DesignError for a bad batch and for another form.
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
