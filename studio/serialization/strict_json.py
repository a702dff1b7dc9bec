"""Strict reader for JSON from outside: limited size and depth, no duplicate keys, errors with
their position."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from studio.knobs import DesignError
from studio.quoting import quoted

LARGEST = 2**20  # bytes; a design has a few hundred
DEEPEST = 20  # brackets within brackets; a design has five
STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
BRACKET = re.compile(r"[\[\]{}]")


def parse(data: str | bytes) -> Any:
    """The value of a JSON text, in UTF-8, UTF-16 or UTF-32, with a byte-order mark or without.

    Raises DesignError, with the line and column of a syntax error.
    """
    if len(data) > LARGEST:
        raise DesignError(f"not a design file: larger than {LARGEST:,} bytes")
    text = (data if isinstance(data, str) else _decoded(data)).removeprefix("\ufeff")
    if _depth(text) > DEEPEST:
        raise DesignError(f"not a design file: nested more than {DEEPEST} levels deep")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        raise DesignError(f"{place}: not valid JSON ({_why(fault)})") from None
    except DesignError:
        raise
    except ValueError:  # a whole number of thousands of digits
        raise DesignError("not a design file: a number in it is too long") from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        raise DesignError("not a design file: it is not text") from None


def _depth(text: str) -> int:
    """The nesting depth of brackets, ignoring those in strings."""
    depth = deepest = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DesignError(f"the key {quoted(key)} appears twice in one object")
        found[key] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise DesignError(f"{name} is not valid JSON")


def _why(fault: json.JSONDecodeError) -> str:
    """The message of the json module, as part of a sentence."""
    if not fault.doc.strip():
        return "it is empty"
    reason = fault.msg[0].lower() + fault.msg[1:]
    return reason.replace("expecting", "expected", 1).removesuffix(" at")
