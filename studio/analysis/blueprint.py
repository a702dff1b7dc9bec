"""A model as a blueprint: the real module on the meta device, with shapes and without memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from studio.analysis.pointwise import POINTWISE_RULES
from studio.family import Design

INITIALISERS = {
    *(f for name, f in vars(nn.init).items() if callable(f) and name.endswith("_")),
    *(getattr(Tensor, name) for name in ("uniform_", "normal_", "fill_", "zero_", "copy_")),
}
DRAWS = {torch.randn: torch.float32, torch.rand: torch.float32, torch.randint: torch.int64}


class NoValues(TorchFunctionMode):
    """Skips what only sets numbers: on meta there are none, and torch takes long to draw them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        if func in DRAWS:
            return torch.empty(_size(args, kwargs), dtype=kwargs.get("dtype", DRAWS[func]))
        rule = POINTWISE_RULES.get(func)
        ruled = rule(*args, **kwargs) if rule else None
        return ruled.outputs if ruled else func(*args, **kwargs)


def blueprint(design: Design) -> nn.Module:
    """The design's module on meta, in evaluation mode. Takes milliseconds and no memory."""
    with torch.device("meta"), NoValues():
        return design.family.model(design.config).eval()


def sample(design: Design, batch: int) -> tuple[Tensor, ...]:
    """The design's example inputs on meta."""
    with torch.device("meta"), NoValues():
        return design.family.example(design.config, batch)


def _size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    """The size given to randn(2, 3), randn((2, 3)), randint(9, (2, 3)) or by its name."""
    given = kwargs.get("size", next((a for a in args if isinstance(a, (tuple, list))), args))
    return tuple(given)
