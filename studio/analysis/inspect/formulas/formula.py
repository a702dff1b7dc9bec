"""A cost as a formula: a sum in symbols, and with the values of this design.

A formula is a value. Its terms are products of factors, each with a symbol and a number; its total
is computed from them, so a formula and its total cannot disagree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

SUM = re.compile(r"[+−-]")
Names = tuple[str, ...]  # of the dimensions of a shape; empty if they have none


class Factor(NamedTuple):
    """`D = 768`; a plain number is its own symbol."""

    symbol: str
    value: int


@dataclass(frozen=True)
class Term:
    """A product. `name` says what it is the size of (a bias), or which part it belongs to."""

    factors: tuple[Factor, ...]
    name: str = ""
    sign: int = 1

    @property
    def value(self) -> int:
        return self.sign * math.prod(factor.value for factor in self.factors)

    @property
    def symbols(self) -> str:
        """`D × 3D`; empty for a part, which has only a name and a number."""
        return "" if _is_plain(self.factors) else " × ".join(f.symbol for f in self.factors)

    @property
    def values(self) -> str:
        """`768 × 2,304`; a part has its name first."""
        numbers = " × ".join(f"{factor.value:,}" for factor in self.factors)
        return f"{self.name} {numbers}" if self.name and _is_plain(self.factors) else numbers


@dataclass(frozen=True)
class Formula:
    """`times` the sum of the terms: a count or a number of bytes. `note` says what is left out."""

    terms: tuple[Term, ...] = ()
    times: int = 1
    note: str = ""

    @property
    def total(self) -> int:
        return self.times * sum(term.value for term in self.terms)

    @property
    def symbols(self) -> str:
        """In symbols; empty for a sum of parts."""
        if not all(term.symbols for term in self.terms):
            return ""
        return self._sum(lambda term: term.symbols)

    @property
    def values(self) -> str:
        """With the numbers of this design."""
        return self._sum(lambda term: term.values)

    def text(self, write: Callable[[int], str] = "{:,}".format) -> str:
        """`D × 3D + 3D = 768 × 2,304 + 2,304 = 1,771,776`, without steps that only repeat."""
        alone = self.times == 1 and len(self.terms) == 1 and not self.terms[0].symbols
        total = (
            "" if alone and self.terms[0].name else write(self.total)
        )  # a single part is the total
        steps = dict.fromkeys((self.symbols, self.values, total))
        return " = ".join(step for step in steps if step)

    def _sum(self, side: Callable[[Term], str]) -> str:
        parts = [(" − " if term.sign < 0 else " + ") + side(term) for term in self.terms]
        text = (
            "".join(parts)
            .removeprefix(" + ")
            .replace(" − ", "−", 1 if _starts_negative(parts) else 0)
        )
        if self.times == 1 or not parts:
            return text
        return f"{self.times:,} × ({text})" if len(parts) > 1 else f"{self.times:,} × {text}"


def number(value: int) -> Factor:
    return Factor(f"{value:,}", value)


def dim_factors(shape: Iterable[int], names: Iterable[str]) -> tuple[Factor, ...]:
    """A factor for each dimension of a shape."""
    return tuple(Factor(bracket(name), n) for name, n in zip(names, shape, strict=True))


def bracket(name: str) -> str:
    """A name that can be multiplied: a sum (N + 1) in brackets."""
    return f"({name})" if SUM.search(name) and not name.startswith("(") else name


def part(name: str, value: int, times: int = 1) -> Term:
    """The cost of `times` equal parts together, by name."""
    whole = (number(times), number(value // times)) if times > 1 else (number(value),)
    return Term(whole, name)


def remainder(name: str, value: int) -> Term:
    """What is missing from a sum, or too much."""
    return Term((number(abs(value)),), name, -1 if value < 0 else 1)


def _is_plain(factors: Iterable[Factor]) -> bool:
    return all(factor == number(factor.value) for factor in factors)


def _starts_negative(parts: list[str]) -> bool:
    """Whether the first part is subtracted."""
    return bool(parts) and parts[0].startswith(" − ")
