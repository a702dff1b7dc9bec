"""The result of a rule: outputs, MACs, and what is saved for the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.analysis.trace.pytree import TensorLayout

GradientLayouts = Sequence[
    TensorLayout | None
]  # of the inputs that need a gradient; None for the others
GradientRule = Callable[[Tensor, GradientLayouts], Sequence[Tensor | None]]


def new_gradients(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
    """Each input's gradient is a new tensor."""
    return [None if layout is None else layout.empty() for layout in inputs]


def gradients_with_temporaries(*factors: int) -> GradientRule:
    """Like `new_gradients`, with this many temporaries of the output's size for each input (the
    last number is for all further inputs). A broadcast input takes one more, since its gradient is
    made at full size and then reduced."""

    def made(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
        found: list[Tensor | None] = []
        for i, layout in enumerate(inputs):
            if layout is None:
                found.append(None)
                continue
            count = factors[min(i, len(factors) - 1)] + (layout.shape != gradient.shape)
            on_the_way = [empty_like(gradient) for _ in range(count)]
            found.append(layout.empty())
            del on_the_way
        return found

    return made


def pass_gradient(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
    """The gradient itself, reduced for an input that was broadcast."""
    return [
        layout.empty() if layout is not None and layout.shape != gradient.shape else gradient
        for layout in inputs
    ]


def slice_gradients(dim: int) -> GradientRule:
    """The gradients of concatenated tensors are views of one."""

    def slices(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
        return [
            None if layout is None else gradient.narrow(dim, 0, layout.shape[dim])
            for layout in inputs
        ]

    return slices


@dataclass(frozen=True)
class RuleResult:
    """Outputs, MACs, and what is saved for the backward pass: the tensors `saved`, and
    `saved_bytes` in addition. `gradients` makes the gradients of the inputs from that of the
    output. `activation_count` are the elements written by its convolutions and matrix products."""

    outputs: Any
    macs: int
    saved: tuple[Tensor, ...] = ()
    saved_bytes: int = 0
    gradients: GradientRule = new_gradients
    activation_count: int = 0


Rule = Callable[..., RuleResult | None]  # None: left to torch


def new_empty(source: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """A contiguous tensor. (`new_empty` of torch is decomposed on meta, which imports its
    compiler.)"""
    return torch.empty(shape, dtype=dtype or source.dtype, device=source.device)


def empty_like(source: Tensor) -> Tensor:
    """A tensor laid out like another. (`empty_like` of torch is decomposed on meta.)"""
    if source.is_contiguous() or not any(source.stride()):  # or one value, expanded
        return new_empty(source, *source.shape)
    if not _is_dense(source):
        return torch.empty_like(source)
    return torch.empty_strided(
        source.shape, source.stride(), dtype=source.dtype, device=source.device
    )


def _is_dense(source: Tensor) -> bool:
    """Whether the tensor fills its memory without overlaps, in whatever order of its dimensions."""
    filled = 1
    for stride, n in sorted(zip(source.stride(), source.shape, strict=True)):
        if n > 1 and stride != filled:
            return False
        filled *= n
    return True


def with_grad_of(made: Tensor, *sources: Tensor | nn.Module) -> Tensor:
    """Make an output require a gradient if one of its inputs does, or a parameter of its layer."""
    needed = torch.is_grad_enabled() and any(map(_needs_gradient, sources))
    return made.requires_grad_() if needed else made


def _needs_gradient(source: Tensor | nn.Module) -> bool:
    if isinstance(source, Tensor):
        return source.requires_grad
    return any(parameter.requires_grad for parameter in source.parameters())
