"""The types of values on a command line; an error names the value and what would work."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from studio.analysis import quantities
from studio.analysis.quantities import Quantity
from studio.quoting import echoed, path_echoed, quoted
from studio.spelling import meant

DAY_S = 86_400


class Value(click.ParamType[Any]):
    """A value that a function parses. The function raises ValueError with one sentence."""

    def __init__(self, read: Callable[[str], Any], name: str) -> None:
        self.read, self.name = read, name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.read(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class OneOf(click.Choice[str]):
    """One of a few words; the error for another word suggests the most similar ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            known = ", ".join(self.choices)
            choose = meant(str(value), self.choices, f"choose from {known}")
            self.fail(f"there is no {quoted(value)}; {choose}", param, ctx)
        return str(value)


def amount(quantity: Quantity) -> Value:
    """A quantity with its units."""
    return Value(quantity.read, "N")


def _seconds(text: str) -> float:
    try:
        found = float(text.removesuffix("s"))
    except ValueError:
        found = 0.0
    if not 0 < found <= DAY_S:
        raise ValueError(
            f"{quoted(text)} is not a time in seconds, such as 120; the most is {DAY_S}"
        )
    return found


def _url_path(text: str) -> str:
    path = text.strip("/")
    if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII):
        raise ValueError(f"{quoted(text)} is not a path such as tools/studio")
    return path


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise ValueError(f"{quoted(text)} is not a port from 1 to 65535")
    return int(text)


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError("the name of the file is empty")
    if text.endswith(os.sep):
        raise ValueError(f"{path_echoed(text)} names a folder, not a file")
    return Path(text)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise ValueError(f"{quoted(text)} is not of the form KNOB=VALUE")
    return name.strip(), value.strip()


def _setting(text: str) -> tuple[str, str]:
    name, value = _assignment(text)
    if why := quantities.unit_of(value):
        raise ValueError(f"{echoed(name)}={value} {why}")
    return name, value


WHOLE = Value(quantities.whole, "N")  # it may have an exponent but no unit
SECONDS = Value(_seconds, "SECONDS")  # above 0, at most a day
MILLISECONDS = Value(partial(quantities.duration, bare="ms"), "MS")  # converted to seconds
URL_PATH = Value(_url_path, "PATH")
PORT = Value(_port, "N")
FILE = Value(_path, "FILE")
ASSIGNMENT = Value(_assignment, "KNOB=VALUES")
SETTING = Value(_setting, "KNOB=VALUE")
