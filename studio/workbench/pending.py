"""A result that takes time: ready, waiting or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Ready(Generic[T_co]):
    """The result."""

    value: T_co


@dataclass(frozen=True)
class Waiting(Generic[T_co]):
    """Somebody is at work on it.

    `progress` is from 0 to 1, `ahead` how many calls of other sessions come first, `left_s` the
    seconds left where that is known, and `so_far` a first part of the result.
    """

    progress: float = 0.0
    ahead: int = 0
    left_s: float | None = None
    so_far: T_co | None = None


@dataclass(frozen=True)
class Failed:
    """There will be none; why, in one sentence."""

    reason: str


Pending = Ready[T] | Waiting[T] | Failed
