"""Skip connections: what flows in is joined with what an earlier stage gave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from studio.knobs import knob
from studio.stages.stage import STEM, Flow, Map, Row


@dataclass(frozen=True, kw_only=True)
class Join(Row):
    """What flows in, joined with the output of the stage of this number."""

    takes = Flow

    source: int = knob(STEM, "Number of the earlier stage; -1 is the stem", ge=-1, le=31)

    @property
    def joins(self) -> tuple[int, ...]:
        return (self.source,)


def informed(x: Flow, other: Flow) -> Flow:
    """x, whose frames or tokens depend on all that those of either depend on."""
    past = x.past or other.past
    if isinstance(x, Map) or isinstance(other, Map):
        return replace(x, past=past)
    return replace(x, past=past, future=x.future or other.future)


@dataclass(frozen=True, kw_only=True)
class Add(Join):
    """Adds the output of an earlier stage of the same shape: a residual connection."""

    def flow(self, x: Flow, other: Flow) -> Flow:
        if x != other:
            raise ValueError(f"source={self.source} is {other}, to which {x} cannot be added")
        return informed(x, other)

    def build(self, x: Flow, other: Flow) -> nn.Module:
        return Sum()


class Sum(nn.Module):
    """x + skip, of equal shapes."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return x + skip


@dataclass(frozen=True, kw_only=True)
class Concatenate(Join):
    """Appends the channels of an earlier stage: a skip connection, as in U-Net and DenseNet."""

    def flow(self, x: Flow, other: Flow) -> Flow:
        if isinstance(x, Map) and isinstance(other, Map):
            if replace(x, channels=other.channels) == other:
                return informed(replace(x, channels=x.channels + other.channels), other)
        elif not isinstance(x, Map) and not isinstance(other, Map) and x.count == other.count:
            return informed(replace(x, width=x.width + other.width), other)
        raise ValueError(f"source={self.source} is {other}, which does not fit beside {x}")

    def build(self, x: Flow, other: Flow) -> nn.Module:
        return SideBySide(dim=1 if isinstance(x, Map) else 2)


class SideBySide(nn.Module):
    """Both in one, along the axis of their channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat((x, skip), dim=self.dim)
