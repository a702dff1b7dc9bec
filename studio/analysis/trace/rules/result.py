"""What a rule says about an operation that need not be run, and how it makes its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.analysis.trace.pytree import TensorLayout

GradientLayouts = Sequence[
    TensorLayout | None
]  # the inputs that need a gradient; None for the others
GradientRule = Callable[[Tensor, GradientLayouts], Sequence[Tensor | None]]


def new_gradients(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
    """The gradient of each input is a tensor of its own."""
    return [None if layout is None else layout.empty() for layout in inputs]


def gradients_with_temporaries(*factors: int) -> GradientRule:
    """As `fresh`, by expressions with so many factors of the output's size that are made on the way
    (the last number is for all further inputs). An input that was broadcast takes one more: its
    gradient is made at full size, and summed up."""

    def made(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
        found: list[Tensor | None] = []
        for i, layout in enumerate(inputs):
            if layout is None:
                found.append(None)
                continue
            count = factors[min(i, len(factors) - 1)] + (layout.shape != gradient.shape)
            on_the_way = [torch.empty_like(gradient) for _ in range(count)]
            found.append(layout.empty())
            del on_the_way
        return found

    return made


def pass_gradient(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
    """The gradient itself, summed up for an input that was broadcast."""
    return [
        layout.empty() if layout is not None and layout.shape != gradient.shape else gradient
        for layout in inputs
    ]


def slice_gradients(dim: int) -> GradientRule:
    """The gradients of what was joined along an axis are views of one."""

    def slices(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
        return [
            None if layout is None else gradient.narrow(dim, 0, layout.shape[dim])
            for layout in inputs
        ]

    return slices


@dataclass(frozen=True)
class RuleResult:
    """The outputs, their multiply-accumulates, and what is kept for the backward pass: `kept` are
    tensors, `kept_bytes` what is kept besides. `gradients` makes the gradients of the inputs from
    that of the output. `written` are the elements that its convolutions and matrix products write.
    """

    outputs: Any
    macs: int
    saved: tuple[Tensor, ...] = ()
    saved_bytes: int = 0
    gradients: GradientRule = new_gradients
    activation_count: int = 0


Rule = Callable[..., RuleResult | None]  # None: this case is left to torch


def new_empty(source: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """Contiguous. (`new_empty` on meta is decomposed, which costs a second's import.)"""
    return torch.empty(shape, dtype=dtype or source.dtype, device=source.device)


def with_grad_of(made: Tensor, *sources: Tensor) -> Tensor:
    """An output takes part in autograd if one of its inputs does."""
    needed = torch.is_grad_enabled() and any(t.requires_grad for t in sources)
    return made.requires_grad_(needed)
