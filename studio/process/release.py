"""Memory that a worker process frees when a call has failed or it is idle for a while."""

from __future__ import annotations

from collections.abc import Callable

_callbacks: list[Callable[[], None]] = []  # of this process


def on_release(callback: Callable[[], None]) -> Callable[[], None]:
    """Register a function that frees memory, such as that of models kept ready."""
    _callbacks.append(callback)
    return callback


def release() -> None:
    """Call all registered functions."""
    for callback in _callbacks:
        callback()
