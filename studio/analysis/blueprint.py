"""A model as a blueprint: the real module on the meta device, with shapes and without memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from studio.family import Design

INITIALISERS = {
    *(f for name, f in vars(nn.init).items() if callable(f) and name.endswith("_")),
    *(getattr(Tensor, name) for name in ("uniform_", "normal_", "fill_", "zero_", "copy_")),
}


class SkipInitialisation(TorchFunctionMode):
    """Makes initialisers do nothing: on meta there are no numbers, and drawing none is faster."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in INITIALISERS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def blueprint(design: Design) -> nn.Module:
    """The design's module on meta, in evaluation mode. Takes milliseconds and no memory."""
    with torch.device("meta"), SkipInitialisation():
        return design.family.model(design.config).eval()


def sample(design: Design, batch: int) -> tuple[Tensor, ...]:
    """The design's example inputs on meta."""
    with torch.device("meta"):
        return design.family.example(design.config, batch)
