"""Errors of a worker process, each one sentence for the user."""

from __future__ import annotations

from studio.quoting import one_line


class MeasureError(RuntimeError):
    """A failed measurement; the message is one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class NoMemoryError(MeasureError):
    """Memory ran out in the worker process, although the prediction fit."""
