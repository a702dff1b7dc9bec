"""Results go to standard output or to a file, everything else to standard error."""

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
    """Write a result to standard output, text in UTF-8, and return the exit code."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        if isinstance(result, bytes):
            sys.stdout.buffer.write(result)
            result = ""
        print(result, end="", flush=True)
    except OSError as error:
        # Python writes the rest of the buffer when it ends; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            return BROKEN_PIPE
        say(f"cannot write the result: {error.strerror}")
        return REFUSED
    return 0


def to_file(result: str | bytes, path: Path | None) -> str | bytes:
    """Write the result to a file, if one is given, and return what is left to print.

    Raises DesignError.
    """
    if path is None:
        return result
    write(result, path)
    return ""


def json_text(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def say(text: str) -> None:
    """Print one line on standard error."""
    print("studio:", one_line(text), file=sys.stderr)


class _StandardError(logging.Handler):
    """Warnings of the studio, each as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def say_warnings() -> None:
    """Show the warnings of the studio on standard error, from now on."""
    logger = logging.getLogger("studio")
    if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
        logger.addHandler(_StandardError(logging.WARNING))


class PartialResult(KeyboardInterrupt):
    """A command was interrupted and has a result so far."""

    def __init__(self, result: str | bytes) -> None:
        super().__init__()
        self.result = result
