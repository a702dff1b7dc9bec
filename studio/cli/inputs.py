"""The design that a command is given: a family with settings, a design file or standard input."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import studio
from studio.cli.output import say
from studio.knobs import DesignError
from studio.quoting import path_echoed
from studio.serialization.strict_json import LARGEST

if TYPE_CHECKING:
    from studio.family import Design


@dataclass(frozen=True)
class DesignSource:
    """A family's key, a file or `-`; the preset to start from; the knobs to set, as text."""

    name: str
    preset: str | None
    settings: tuple[tuple[str, str], ...]

    def read(self) -> Design:
        """The design. Prints which stages were inserted to make it valid. Raises DesignError."""
        from studio import zoo

        made = zoo.with_settings(_start(self.name, self.preset), dict(self.settings))
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
    """The bytes of a file or of standard input, at most one more than a design file may have."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(LARGEST + 1)
        with open(name, "rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise DesignError(f"cannot read {path_echoed(name)}: {error.strerror}") from None
