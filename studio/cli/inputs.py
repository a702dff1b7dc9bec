"""What a command is given: a design, and the conditions under which it is measured."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import studio
from studio.knobs import DesignError
from studio.measure.request import Conditions

if TYPE_CHECKING:
    from studio.family import Design


def design_of(arguments: argparse.Namespace) -> Design:
    return _start(arguments.family, arguments.preset).replace(**dict(arguments.settings))


def _start(name: str, preset: str | None) -> Design:
    """A family's preset, or the design that a file or standard input holds."""
    if name != "-" and not name.endswith(".json"):
        return studio.design(name, preset=preset)
    if preset is not None:
        raise DesignError(f"{name} holds a design already; --preset goes with a family's name")
    try:
        text = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode()
    except OSError as error:
        raise DesignError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DesignError(f"cannot read {name}: it is not text") from None
    return studio.design_from_json(text)


def conditions_of(arguments: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(arguments, field.name) for field in fields(Conditions)}
