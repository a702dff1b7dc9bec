"""Rules for element-wise operations, means and concatenations.

On the meta device torch decomposes these in Python. For a model of many small operations that takes
most of the time, and the first one imports torch's compiler, which takes over a second. What each
saves for the backward pass is what torch's derivative formula uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from studio.analysis.trace.rules.result import (
    GradientRule,
    Rule,
    RuleResult,
    empty_like,
    gradients_with_temporaries,
    new_empty,
    new_gradients,
    pass_gradient,
    slice_gradients,
    with_grad_of,
)

SAVED_BY_UNARY = {
    "input": ("square", "cos", "sin", "abs", "log"),
    "output": ("exp", "sqrt", "rsqrt", "sigmoid", "tanh", "relu"),
    "nothing": ("neg", "floor"),
}
# Temporaries in torch's derivative formulas: x² as g · (2 · x), 1/√x as (g / -2) · y³.
GRADIENT_TEMPORARIES = {"square": 2, "rsqrt": 2, "cos": 2, "sin": 1, "abs": 1, "sqrt": 1}


def unary(saved: str, gradients: GradientRule) -> Rule:
    """The rule of a function of one tensor, by what it saves."""

    def rule(x: Tensor, *args: Any, **kwargs: Any) -> RuleResult | None:
        if args or any(kwargs.values()) or not x.is_floating_point():  # inplace=False is fine
            return None
        out = with_grad_of(empty_like(x), x)
        return RuleResult(
            out, 0, {"input": (x,), "output": (out,), "nothing": ()}[saved], gradients=gradients
        )

    return rule


def addition(one: Any, other: Any, **_: Any) -> RuleResult | None:
    """A sum or a difference saves nothing."""
    out = _broadcast_output(one, other)
    return None if out is None else RuleResult(out, 0, gradients=pass_gradient)


def product(one: Any, other: Any) -> RuleResult | None:
    """Each factor is saved for the derivative by the other."""
    out = _broadcast_output(one, other)
    if out is None:
        return None
    saved = *_tensors(one, _needs_gradient(other)), *_tensors(other, _needs_gradient(one))
    return RuleResult(out, 0, saved, gradients=gradients_with_temporaries(0))


def quotient(one: Tensor, other: Any, **kwargs: Any) -> RuleResult | None:
    """x / y saves y, and x too if y needs a gradient, which is -g · ((x / y) / y)."""
    out = None if kwargs else _broadcast_output(one, other, torch.get_default_dtype())
    if out is None:
        return None
    other_learns = _needs_gradient(other)
    saved = (
        *_tensors(one, other_learns),
        *_tensors(other, other_learns or _needs_gradient(one)),
    )
    return RuleResult(out, 0, saved, gradients=gradients_with_temporaries(0, 3))


def reciprocal(x: Tensor, number: float) -> RuleResult | None:
    """number / x saves 1 / x, which has the size of the output."""
    out = _broadcast_output(x, number, torch.get_default_dtype())
    return None if out is None else RuleResult(out, 0, (empty_like(out),))


def power(x: Tensor, base: float) -> RuleResult | None:
    """base ** x saves its output and x."""
    out = _broadcast_output(x, base)
    return None if out is None else RuleResult(out, 0, (x, out))


def clamp(x: Tensor, min: float | None = None, max: float | None = None) -> RuleResult | None:
    """A clamp saves its input, to see where it was in bounds."""
    if any(isinstance(bound, Tensor) for bound in (min, max)) or not x.is_floating_point():
        return None
    return RuleResult(with_grad_of(empty_like(x), x), 0, (x,))


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> RuleResult | None:
    """A mean over some dimensions saves nothing: its derivative is a constant."""
    if kwargs or not x.is_floating_point():
        return None
    dims = range(x.dim()) if dim is None else (dim,) if isinstance(dim, int) else dim
    gone = {d % x.dim() for d in dims}
    shape = [1 if d in gone else n for d, n in enumerate(x.shape) if keepdim or d not in gone]
    return RuleResult(with_grad_of(new_empty(x, *shape), x), 0)


def concatenation(tensors: Sequence[Tensor], dim: int = 0, **kwargs: Any) -> RuleResult | None:
    """Concatenation along an existing dimension; saves nothing. Left to torch: tensors that differ
    in another dimension."""
    first = tensors[0]
    dim %= max(first.dim(), 1)
    rest = {(t.dtype, *t.shape[:dim], None, *t.shape[dim + 1 :]) for t in tensors}
    if kwargs or len(rest) > 1:
        return None
    shape = list(first.shape)
    shape[dim] = sum(t.shape[dim] for t in tensors)
    return RuleResult(
        with_grad_of(new_empty(first, *shape), *tensors), 0, gradients=slice_gradients(dim)
    )


def _broadcast_output(one: Any, other: Any, at_least: torch.dtype | None = None) -> Tensor | None:
    """The output of a binary operation, laid out like the first operand of its shape and dtype.
    None, left to torch, if it is not floating-point."""
    tensors = (*_tensors(one), *_tensors(other))
    promoted = torch.result_type(one, other)
    dtype = promoted if promoted.is_floating_point else at_least
    if dtype is None:
        return None
    shape = _broadcast_shape([t.shape for t in tensors])
    same = next((t for t in tensors if t.shape == shape and t.dtype == dtype), None)
    made = new_empty(tensors[0], *shape, dtype=dtype) if same is None else empty_like(same)
    return with_grad_of(made, *tensors)


def _broadcast_shape(shapes: list[torch.Size]) -> torch.Size:
    if shapes[0] == shapes[-1]:
        return shapes[0]
    return torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call, no-any-return]


def _tensors(term: Any, wanted: bool = True) -> tuple[Tensor, ...]:
    """The operand as a tuple if it is a tensor and wanted; else empty."""
    return (term,) if wanted and isinstance(term, Tensor) else ()


def _needs_gradient(term: Any) -> bool:
    return isinstance(term, Tensor) and term.requires_grad and torch.is_grad_enabled()


def _callables_of(name: str) -> Iterator[Callable[..., Any]]:
    """An operation as a method, a function of torch, and a function of torch.nn.functional."""
    yield from (getattr(owner, name) for owner in (Tensor, torch, F) if hasattr(owner, name))


POINTWISE_RULES: dict[Callable[..., Any], Rule] = {
    **{
        form: unary(
            saved,
            gradients_with_temporaries(GRADIENT_TEMPORARIES[name])
            if name in GRADIENT_TEMPORARIES
            else new_gradients,
        )
        for saved, names in SAVED_BY_UNARY.items()
        for name in names
        for form in _callables_of(name)
    },
    **{form: addition for name in ("add", "sub", "__rsub__") for form in _callables_of(name)},
    **dict.fromkeys(_callables_of("mul"), product),
    **dict.fromkeys(_callables_of("div"), quotient),
    **dict.fromkeys(_callables_of("mean"), mean),
    **dict.fromkeys(_callables_of("clamp"), clamp),
    Tensor.__rdiv__: reciprocal,
    Tensor.__rpow__: power,
    torch.cat: concatenation,
}
