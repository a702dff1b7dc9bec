"""A result that takes time: not asked for, waiting, ready or failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import Generic, TypeVar

from studio.process.errors import MeasureError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class NotAsked:
    """Nobody has asked for it."""


@dataclass(frozen=True)
class Waiting(Generic[T_co]):
    """In progress.

    `progress` is from 0 to 1, `ahead` how many calls of other sessions come first, `left_s` the
    seconds left where that is known, and `so_far` a first part of the result.
    """

    progress: float = 0.0
    ahead: int = 0
    left_s: float | None = None
    so_far: T_co | None = None


@dataclass(frozen=True)
class Ready(Generic[T_co]):
    """The result."""

    value: T_co


@dataclass(frozen=True)
class Failed:
    """It failed; `reason` is one sentence."""

    reason: str


Pending = NotAsked | Waiting[T] | Ready[T] | Failed


def wait_for(
    ask: Callable[[], Pending[T]],
    on_progress: Callable[[Waiting[T]], None] = lambda _: None,
    every_s: float = 0.05,
) -> T:
    """The result of `ask`, which is asked every `every_s` seconds until it is there. Raises
    MeasureError with the reason of a failure. For notebooks and the command line; the page polls.
    """
    while True:
        match ask():
            case Ready(value):
                return value
            case Failed(reason):
                raise MeasureError(reason)
            case Waiting() as found:
                on_progress(found)
            case NotAsked():
                raise MeasureError("nobody has asked for this result")
        sleep(every_s)
