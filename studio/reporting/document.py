"""A report as a value: sections of paragraphs, points, tables, drawings and listings.

Text is a string, taken as it stands, or a tuple of pieces of which some are set apart. Who renders
a report escapes all of it. Addresses in a text become links; nothing is ever loaded from one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

URL = re.compile(r"https?://[^\s,;)<>\"]+")
MARKED = re.compile(r"\$(?P<math>[^$]+)\$|\*(?P<stressed>[^*\s][^*]*)\*|`(?P<code>[^`]+)`")


class Math(NamedTuple):
    """A formula in LaTeX."""

    tex: str


class Emphasis(NamedTuple):
    """A word that is stressed."""

    text: str


class Code(NamedTuple):
    """A name as the code has it."""

    text: str


Piece = str | Math | Emphasis | Code
Text = str | tuple[Piece, ...]


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Points:
    """Short statements, one below the other."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head. The first column names the row, those numbered in `words` are
    words too, all others figures. `levels` says how deep each row lies inside the ones above it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    words: frozenset[int] = frozenset()
    levels: tuple[int, ...] = ()
    total: bool = False  # the last row is the sum

    def level(self, row: int) -> int:
        return self.levels[row] if self.levels else 0


@dataclass(frozen=True)
class Drawing:
    """A picture, and the same in words."""

    svg: str
    words: str


@dataclass(frozen=True)
class Listing:
    """A text as it stands, folded."""

    title: str
    language: str
    text: str


Block = Paragraph | Points | Table | Drawing | Listing


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A title, what it is about in one line, its headline figures, and its sections."""

    title: str
    about: Text
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    appendix: Section


def text_pieces(text: Text) -> tuple[Piece, ...]:
    return (text,) if isinstance(text, str) else text


def parse_markup(text: str) -> tuple[Piece, ...]:
    """The pieces of a sentence from a family's file, where `$` sets off a formula, a star a word
    that is stressed, and a back quote a name."""
    return tuple(_said(text))


def _said(text: str) -> Iterator[Piece]:
    end = 0
    for mark in MARKED.finditer(text):
        if mark.start() > end:
            yield text[end : mark.start()]
        if mark["math"]:
            yield Math(mark["math"])
        elif mark["stressed"]:
            yield Emphasis(mark["stressed"])
        else:
            yield Code(mark["code"])
        end = mark.end()
    if end < len(text):
        yield text[end:]


def percent(part: float, whole: float) -> str:
    """A part in per cent, empty where there is none."""
    if not (part and whole):
        return ""
    found = part / whole
    return "< 0.1 %" if found < 0.0005 else f"{100 * found:.1f} %" if found < 0.9995 else "100 %"


def split_links(text: str) -> Iterator[tuple[str, str]]:
    """A text as (words, address): the address of a link is its words, elsewhere it is empty."""
    end = 0
    for link in URL.finditer(text):
        address = link.group().rstrip(".:")
        yield text[end : link.start()], ""
        yield address, address
        end = link.start() + len(address)
    yield text[end:], ""
