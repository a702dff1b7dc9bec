"""Quantities as people type them, with units that are understood or rejected: "5M", "8 GB", "20
ms".

A misread budget would be met by the wrong network, so nothing is guessed: `5MB` of parameters is
rejected, and for a bare `2` the error asks whether `2M` was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from studio.quoting import quoted

LONGEST = 40  # characters of a number
NUMBER = r"\+?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*)?(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?)"
WRITTEN = re.compile(rf"{NUMBER}\s*([a-zµ%/\s]*)", re.I)
SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12, "p": 10**15}
PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
SIZES = {f"{prefix}b": scale for prefix, scale in (PREFIXES | BINARY).items()}
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
LEAST = 1000  # below it, a number without a unit is rejected with a question


@dataclass(frozen=True)
class Quantity:
    """A kind of quantity: its name, an example, and the factor of each unit.

    `usual` are the units offered for a number that is too small to be meant.
    """

    name: str
    example: str
    units: Mapping[str, int] = field(default_factory=dict)
    usual: tuple[str, ...] = ()

    def read(self, text: str) -> int:
        """The whole number in a text. Raises ValueError with one sentence."""
        number, unit = _parts(text)
        if number is None or unit.lower() not in self.units or (not unit and number % 1):
            raise ValueError(f"{quoted(text)} {self._fault(number, unit)}")
        found = int(number * self.units[unit.lower()])
        if self.usual and found < LEAST:
            offers = " or ".join(f"{number.normalize():f}{unit}" for unit in self.usual)
            advice = f"did you mean {offers}?" if number else f"use one such as {self.example}"
            raise ValueError(f"{quoted(text)} is too small for {self.name}; {advice}")
        return found

    def _fault(self, number: Decimal | None, unit: str) -> str:
        low = unit.lower()
        if number is not None and low in SIZES and low[0] in self.units:
            meant = f"{number.normalize():f}{unit[0]}"
            return f"is a size in bytes, not {self.name}; did you mean {meant}?"
        if number is not None and low.endswith(("flop", "flops")):
            scale = re.sub(r"flops?$", "", low)
            half = f"{(number / 2).normalize():f}{unit[: len(scale)]}"
            known = self is MACS and f"{scale}macs" in self.units and number * SCALES[scale] > LEAST
            meant = f"; did you mean {half} MACs?" if known else ""
            return f"is in FLOPs, not {self.name}; one MAC is two FLOPs{meant}"
        name = self.name.removeprefix("a ")
        return f"is not a valid {name}; use a positive number such as {self.example}"


def _scaled(*words: str) -> dict[str, int]:
    """Each scale alone and before each word: "m", "mmacs"."""
    return {s + word: scale for s, scale in SCALES.items() for word in ("", *words)}


COUNT = Quantity("a count", "5000 or 5k", _scaled())
PARAMETERS = Quantity(
    "a number of parameters", "5e6 or 5M", _scaled("params", "parameters"), ("M",)
)
MACS = Quantity("a number of MACs", "4e9 or 4G", _scaled("macs", "mac"), ("M", "G"))
MEMORY = Quantity(
    "a size in bytes",
    "300MB or 8GB",
    PREFIXES | SIZES | {"byte": 1, "bytes": 1},
    ("MB", "GB"),
)


def whole(text: str) -> int:
    """A whole number without a unit, such as 224 or 5e4. Raises ValueError."""
    if why := unit_of(text):
        raise ValueError(f"{quoted(text)} {why}")
    try:
        found = Decimal(text.strip())
        if found == found.to_integral_value() and abs(found) < Decimal(10) ** LONGEST:
            return int(found)
    except ArithmeticError:
        pass
    raise ValueError(f"{quoted(text)} is not a whole number")


def unit_of(text: str) -> str:
    """The problem with a unit where none is wanted; empty if there is no unit."""
    number, unit = _parts(text)
    if number is None or not unit:
        return ""
    low = unit.lower()
    if low in PREFIXES:  # both are usual for a context length or a vocabulary
        plain = {number * PREFIXES[low], number * BINARY.get(f"{low}i", PREFIXES[low])}
    else:
        plain = {number / 100 if unit == "%" else number * SCALES.get(low, 1)}
    texts = [f"{n.normalize():f}" for n in sorted(plain)]
    return (
        f"has a unit; write {' or '.join(texts) if len(texts[0]) < LONGEST else 'the number alone'}"
    )


def duration(text: str, bare: str = "") -> float:
    """Seconds: "20 ms", "0.5s", or a number without a unit in the unit `bare`, if given. Raises
    ValueError with one sentence."""
    number, unit = _parts(text)
    scale = SECONDS.get((unit or bare).lower())
    if number is None or scale is None or not 0 < (found := float(number) * scale) < float("inf"):
        example = "20 or 0.5s" if bare else "20 ms or 0.5 s"
        raise ValueError(f"{quoted(text)} is not a valid time; use one such as {example}")
    return found


def _parts(text: str) -> tuple[Decimal | None, str]:
    """The number and its unit; no number if the text has another form."""
    read = WRITTEN.fullmatch(text.strip()) if len(text) <= LONGEST else None
    try:
        return (Decimal(read[1].replace(",", "")), "".join(read[2].split())) if read else (None, "")
    except ArithmeticError:  # a unit alone
        return None, ""
