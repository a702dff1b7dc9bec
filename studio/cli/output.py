"""What the command prints: results on standard output or in a file, all else on standard error."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from studio.cli.files import write
from studio.quoting import one_line

REFUSED, BROKEN_PIPE = 2, 128 + 13  # 128 and a signal, as shells report


def put(result: str | bytes) -> int:
    """Write a result to standard output: text in the encoding that source code has."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        if isinstance(result, bytes):
            sys.stdout.buffer.write(result)
            result = ""
        print(result, end="", flush=True)
    except OSError as error:
        # What is still in the buffer must not fail once more as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has had enough
            return BROKEN_PIPE
        say(f"cannot write the result: {error.strerror}")
        return REFUSED
    return 0


def written(result: str | bytes, path: Path | None) -> str | bytes:
    """The result, or nothing once it is in the file that was asked for. Raises DesignError."""
    if path is None:
        return result
    write(result, path)
    return ""


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def say(text: str) -> None:
    """One line to the person at the terminal."""
    print("studio:", one_line(text), file=sys.stderr)


class _Said(logging.Handler):
    """What the studio warns of, as a line to the person at the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def say_warnings() -> None:
    """From now on, warnings are said as all else is."""
    logger = logging.getLogger("studio")
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said(logging.WARNING))


class CutShort(KeyboardInterrupt):
    """Interrupted with a result so far."""

    def __init__(self, result: str | bytes) -> None:
        super().__init__()
        self.result = result
