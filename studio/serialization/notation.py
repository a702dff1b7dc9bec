"""Records as text, like Python calls: `MBConv(depth=3) Transformer()`.

Not parsed by `ast`: tuples have no brackets here (`skips=5,3,1,-1`), calls follow each other
without operators, and a syntax error is reported with its record and character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from studio.knobs import DesignError
from studio.quoting import echoed, quoted
from studio.spelling import closest, offered

KIND = "kind"  # key of a record's class name in JSON, beside its knobs
RECORD = re.compile(r"\s*(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*,?\s*")
BEGUN = re.compile(r"\s*(\w+)\s*(\(?)")
ASSIGNMENT = re.compile(r"\s*(\w+)\s*=\s*([^=]*?)\s*")
NEXT = re.compile(r",(?=[^,]*=)")  # the comma between two assignments: a tuple has its own


def parse_records(
    text: str, place: Callable[[int], str], kinds: Sequence[str] = ()
) -> list[dict[str, str]]:
    """The records in a text, each with its kind and its settings as texts.

    `place` maps the number of a record to its path; `kinds` are the valid kinds. Raises DesignError
    with the place of a syntax error.
    """
    text = text.rstrip()
    found: list[dict[str, str]] = []
    end = 0
    while end < len(text):
        try:
            written = RECORD.match(text, end)
            if written is None:
                raise ValueError(_fault(text, end, kinds))
            found.append({KIND: written[1], **_assigned(written[2])})
        except ValueError as fault:
            here = place(len(found))
            raise DesignError(f"{here}: {fault}", knob=here, value=text) from None
        end = written.end()
    return found


def _fault(text: str, start: int, kinds: Sequence[str]) -> str:
    """What is wrong with the text at `start`."""
    begun = BEGUN.match(text, start)
    if begun is None:
        return f"{echoed(text[start])} (character {start + 1}) is not the name of a kind"
    kind, bracket = echoed(begun[1]), begun[2]
    if bracket:
        return f"the bracket after {kind} (character {begun.end()}) is not closed"
    at = f"(character {begun.start(1) + 1})"
    if not kinds or begun[1] in kinds:
        return f"{kind} {at} has no brackets after it: write {kind}()"
    near = closest(begun[1], kinds, 1)
    meant = f"the nearest is {near[0]}()" if near else offered(begun[1], kinds, "kinds")
    return f"{kind} {at} is not one of its kinds; {meant}"


def _assigned(inside: str) -> dict[str, str]:
    """The settings between the brackets of a record. Raises ValueError."""
    settings: dict[str, str] = {}
    inside = inside.rstrip().removesuffix(",")
    for part in NEXT.split(inside) if inside else ():
        written = ASSIGNMENT.fullmatch(part)
        if written is None:
            names = re.findall(r"(\w+)\s*=(?!=)", part)
            lacks = (
                f"lacks a comma before {echoed(names[1])}" if len(names) > 1 else "is no name=value"
            )
            raise ValueError(f"{quoted(part.strip())} {lacks}")
        name, value = written.groups()
        if name in settings:
            raise ValueError(f"{echoed(name)} is set twice")
        settings[name] = value
    return settings
