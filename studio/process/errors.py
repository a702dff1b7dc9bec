"""What can go wrong in another process, as one sentence for the person who asked."""

from __future__ import annotations

from studio.quoting import one_line


class MeasureError(RuntimeError):
    """A measurement that could not be made; the message is one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class NoMemoryError(MeasureError):
    """Memory ran out in the worker process, although the prediction had fitted."""
