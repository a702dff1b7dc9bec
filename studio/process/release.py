"""What a worker process gives up when a call has failed or nobody needs it for a while."""

from __future__ import annotations

from collections.abc import Callable

_callbacks: list[Callable[[], None]] = []  # of this process


def on_release(callback: Callable[[], None]) -> Callable[[], None]:
    """Register a function that frees memory, such as that of models kept ready."""
    _callbacks.append(callback)
    return callback


def release() -> None:
    """Call them all."""
    for callback in _callbacks:
        callback()
