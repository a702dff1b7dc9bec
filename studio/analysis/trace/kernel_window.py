"""Kernel, stride and dilation of convolutions and pools, as modules and as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.nn import functional as F

from studio.analysis.trace.tree import Window

SPATIAL_DIMS = {"1d": 1, "2d": 2, "3d": 3}
CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation")


def of_module(module: nn.Module) -> Window | None:
    """The window of a torch convolution or pool; None for other modules."""
    kernel = getattr(module, "kernel_size", None)
    if kernel is None or not hasattr(module, "stride"):
        return None
    sides = (
        len(kernel)
        if isinstance(kernel, tuple)
        else SPATIAL_DIMS.get(type(module).__name__[-2:], 2)
    )
    settings: tuple[Any, ...] = (kernel, module.stride, getattr(module, "dilation", 1))
    return Window(*(_per_dim(v, sides) for v in settings))


def of_function(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Window | None:
    """The window of a functional convolution; None for other functions."""
    if func not in CONVOLUTIONS:
        return None
    given = dict(zip(ARGUMENTS, args, strict=False)) | dict(kwargs)
    kernel = tuple(given["weight"].shape[2:])
    settings = (given.get("stride", 1), given.get("dilation", 1))
    return Window(kernel, *(_per_dim(v, len(kernel)) for v in settings))


def _per_dim(value: Any, sides: int) -> tuple[int, ...]:
    """One number for all spatial dimensions, or one for each."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return given * sides if len(given) == 1 else given
