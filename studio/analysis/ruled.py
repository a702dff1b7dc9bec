"""What a rule says about an operation that need not be run, and how it makes its outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ruled:
    """The outputs, their multiply-accumulates, and what is kept for the backward pass: `kept` are
    tensors, `kept_bytes` what is kept besides."""

    outputs: Any
    macs: int
    kept: tuple[Tensor, ...] = ()
    kept_bytes: int = 0


Rule = Callable[..., Ruled | None]  # None: this case is left to torch


def empty(source: Tensor, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
    """Contiguous. (`new_empty` on meta is decomposed, which costs a second's import.)"""
    return torch.empty(shape, dtype=dtype or source.dtype, device=source.device)


def like(made: Tensor, *sources: Tensor) -> Tensor:
    """An output takes part in autograd if one of its inputs does."""
    needed = torch.is_grad_enabled() and any(t.requires_grad for t in sources)
    return made.requires_grad_(needed)
