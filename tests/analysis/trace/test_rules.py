"""A rule says what torch itself does with real numbers: shape, type, layout, and what is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from studio.analysis.trace.rules import kernels
from studio.analysis.trace.rules.result import RuleResult

CASES: dict[str, Callable[..., Tensor]] = {
    "a + b": lambda a, b, c: a + b,
    "a - row": lambda a, b, c: a - c,
    "1 - a": lambda a, b, c: 1 - a,
    "a * b": lambda a, b, c: a * b,
    "a * a": lambda a, b, c: a * a,
    "a * row": lambda a, b, c: a * c,
    "a * 3": lambda a, b, c: a * 3,
    "a * constant": lambda a, b, c: a * b.detach(),
    "a / b": lambda a, b, c: a / b,
    "a / 3": lambda a, b, c: a / 3,
    "2 / a": lambda a, b, c: 2 / a,
    "2 ** a": lambda a, b, c: 2**a,
    "whole * row": lambda a, b, c: torch.arange(5, device=a.device)[:, None] * c,
    "whole / whole": lambda a, b, c: torch.arange(5, device=a.device) / 5,
    "square": lambda a, b, c: a.square(),
    "cos": lambda a, b, c: a.cos(),
    "exp": lambda a, b, c: a.exp(),
    "sqrt": lambda a, b, c: torch.sqrt(a),
    "rsqrt": lambda a, b, c: torch.rsqrt(a),
    "sigmoid": lambda a, b, c: a.sigmoid(),
    "tanh": lambda a, b, c: torch.tanh(a),
    "relu": lambda a, b, c: F.relu(a),
    "clamp": lambda a, b, c: a.clamp(0.0, 1.0),
    "neg": lambda a, b, c: -a,
    "mean": lambda a, b, c: a.mean((1, 2)),
    "mean, one left": lambda a, b, c: a.mean(dim=-1, keepdim=True),
    "mean of all": lambda a, b, c: a.mean(),
    "cat": lambda a, b, c: torch.cat((a, b), dim=-1),
}


class Ruling(TorchFunctionMode):
    """Does nothing but what the rules say, and notes what they keep."""

    def __init__(self) -> None:
        self.ruled: list[RuleResult] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        rule = kernels.FUNCTION_RULES.get(func)
        ruled = rule(*args, **(kwargs or {})) if rule else None
        if ruled is None:
            return func(*args, **(kwargs or {}))
        self.ruled.append(ruled)
        return ruled.outputs


def terms(device: str) -> tuple[Tensor, ...]:
    made = (torch.rand(size, device=device) + 0.5 for size in ((2, 5, 3), (2, 5, 3), (3,)))
    return tuple(t.requires_grad_() for t in made)


@pytest.mark.parametrize("name", CASES)
def test_a_rule_says_what_torch_does(name: str) -> None:
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        real = CASES[name](*terms("cpu"))
    with Ruling() as ruling:
        ruled = CASES[name](*terms("meta"))
    assert ruling.ruled
    assert ruled.shape == real.shape
    assert ruled.dtype == real.dtype
    assert ruled.stride() == real.stride()
    assert ruled.requires_grad == real.requires_grad
    tensors = {id(t): t for one in ruling.ruled for t in one.saved}
    assert sum(t.untyped_storage().nbytes() for t in tensors.values()) == sum(kept.values())
