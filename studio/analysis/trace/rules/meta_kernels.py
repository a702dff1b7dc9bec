"""Operations of ATen that torch decomposes in Python on the meta device, where only layouts matter.

The backward pass and the loss consist of them. The first decomposition imports torch's compiler and
sympy, which takes more than a second; each takes a hundred times as long as to lay out its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.analysis.trace.rules.result import empty_like, new_empty

aten = torch.ops.aten
MetaKernel = Callable[..., Tensor | None]  # None: left to torch
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by number of dimensions
UNSET = (None, False, torch.preserve_format)


def like_first(x: Tensor, *_: Any, **kwargs: Any) -> Tensor | None:
    """A new tensor laid out like the first argument."""
    is_plain = all(value in UNSET for value in kwargs.values())
    return empty_like(x) if is_plain and x.is_floating_point() else None


def like_both(x: Tensor, other: Any, **kwargs: Any) -> Tensor | None:
    """A new tensor laid out like two that agree in shape, strides and dtype."""
    if isinstance(other, Tensor) and _layout(other) != _layout(x):
        return None
    return like_first(x, **kwargs)


def ones_like(x: Tensor, **kwargs: Any) -> Tensor | None:
    """The gradient of a loss, which torch asks for with contiguous memory."""
    return like_first(x) if x.is_contiguous() and kwargs.get("dtype") in (None, x.dtype) else None


def scalar(x: Tensor, **kwargs: Any) -> Tensor | None:
    """A tensor without dimensions, such as a mean."""
    return new_empty(x) if x.is_floating_point() and not any(kwargs.values()) else None


def mean(
    x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, **kwargs: Any
) -> Tensor | None:
    """A mean over some dimensions."""
    if not (dims and x.is_floating_point()) or any(kwargs.values()):
        return None
    gone = {d % x.dim() for d in dims}
    shape = [1 if d in gone else n for d, n in enumerate(x.shape) if keepdim or d not in gone]
    return new_empty(x, *shape)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor | None:
    """Tensors of equal shapes along a new dimension."""
    first, pixels_first = tensors[0], CHANNELS_LAST.get(tensors[0].dim())
    if pixels_first and first.is_contiguous(memory_format=pixels_first):
        return None
    shape = list(first.shape)
    shape.insert(dim % (len(shape) + 1), len(tensors))
    return new_empty(first, *shape)


def of_size(gradient: Tensor, size: Sequence[int], *_: Any) -> Tensor:
    """The gradient of a part of a tensor: zeros for the rest of it."""
    return new_empty(gradient, *size)


def _layout(x: Tensor) -> tuple[Any, ...]:
    return x.shape, x.stride(), x.dtype


META_KERNELS: dict[Any, MetaKernel] = {
    aten.empty_like.default: like_first,
    aten.ones_like.default: ones_like,
    aten.pow.Tensor_Scalar: like_first,
    aten.mul.Scalar: like_first,
    aten.mul.Tensor: like_both,
    aten.div.Scalar: like_first,
    aten.add.Tensor: like_both,
    aten.mean.default: scalar,
    aten.mean.dim: mean,
    aten.sum.default: scalar,
    aten.stack.default: stack,
    aten.select_backward.default: of_size,
    aten.slice_backward.default: of_size,
}
