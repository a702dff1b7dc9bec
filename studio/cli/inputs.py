"""What a command is given: a design, and the conditions under which it is measured."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import studio
from studio.bench.results import Conditions
from studio.cli.output import say
from studio.knobs import DesignError
from studio.quoting import path_echoed
from studio.serialization.strict_json import LARGEST

if TYPE_CHECKING:
    from studio.family import Design


def design_of(arguments: argparse.Namespace) -> Design:
    """The design that is asked for. What is inserted to make it fit is said."""
    from studio import zoo

    start = _start(arguments.family, arguments.preset)
    made = zoo.changed(start, dict(arguments.settings))
    if made.note:
        say(made.note)
    return made.design


def _start(name: str, preset: str | None) -> Design:
    """A family's preset, or the design that a file or standard input holds."""
    from studio import zoo

    if name != "-" and not name.lower().endswith(".json"):
        return studio.design(name, preset=preset)
    source = "standard input" if name == "-" else path_echoed(name)
    if preset is not None:
        raise DesignError(f"{source} holds a design already; --preset goes with a family's name")
    content = _content(name)
    try:
        made = zoo.read_design(content)
    except DesignError as refusal:
        raise DesignError(f"{source}: {refusal}") from None
    if made.note:
        say(made.note)
    return made.design


def _content(name: str) -> bytes:
    """What a file or standard input holds: as much as is looked at."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(LARGEST + 1)
        with open(name, "rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise DesignError(f"cannot read {path_echoed(name)}: {error.strerror}") from None


def conditions_of(arguments: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(arguments, field.name) for field in fields(Conditions)}
