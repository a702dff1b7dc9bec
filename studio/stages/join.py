"""Skip connections: a stage's input, joined with the output of an earlier stage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.knobs import knob
from studio.stages.stage import STEM, Flow, Map, Stage


@dataclass(frozen=True, kw_only=True)
class Join(Stage[Flow, Flow]):
    """Joins its input with the output of an earlier stage."""

    takes = Flow

    source: int = knob(STEM, "Number of the earlier stage; -1 is the stem", ge=-1, le=31)

    @property
    def joins(self) -> tuple[int, ...]:
        return (self.source,)


def with_context_of(x: Flow, other: Flow) -> Flow:
    """x, whose frames or tokens now depend on all that those of `other` depend on."""
    past = x.past or other.past
    if isinstance(x, Map) or isinstance(other, Map):
        return replace(x, past=past)
    return replace(x, past=past, future=x.future or other.future)


@dataclass(frozen=True, kw_only=True)
class Add(Join):
    """Adds the output of an earlier stage of the same shape: a residual connection."""

    def flow(self, x: Flow, other: Flow) -> Flow:
        if x != other:
            raise ValueError(f"source={self.source} is {other}, which cannot be added to {x}")
        return with_context_of(x, other)

    def build(self, x: Flow, other: Flow) -> nn.Module:
        return Sum()


class Sum(nn.Module):
    """x + skip, for tensors of one shape."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return x + skip


@dataclass(frozen=True, kw_only=True)
class Concatenate(Join):
    """Appends the channels of an earlier stage: a skip connection, as in U-Net and DenseNet.

    Maps (B, C, H, W) and (B, C', H, W) to (B, C + C', H, W); tokens likewise in their last
    dimension.
    """

    def flow(self, x: Flow, other: Flow) -> Flow:
        if isinstance(x, Map) and isinstance(other, Map):
            if replace(x, channels=other.channels) == other:
                return with_context_of(replace(x, channels=x.channels + other.channels), other)
        elif not isinstance(x, Map) and not isinstance(other, Map) and x.count == other.count:
            return with_context_of(replace(x, width=x.width + other.width), other)
        raise ValueError(f"source={self.source} is {other}, which does not fit beside {x}")

    def build(self, x: Flow, other: Flow) -> nn.Module:
        return Concat(dim=1 if isinstance(x, Map) else 2)


class Concat(nn.Module):
    """x and the skip, concatenated in one dimension."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat((x, skip), dim=self.dim)  # (B, ...)
