"""A report as a value: sections of paragraphs, bullet points, tables, drawings and listings.

A text is a string, or a tuple of pieces with formulas, emphasis and code. Renderers escape all of
it. URLs in a text become links; nothing is loaded from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

URL = re.compile(r"https?://[^\s,;)<>\"]+")
MARKUP = re.compile(r"\$(?P<math>[^$]+)\$|\*(?P<emphasis>[^*\s][^*]*)\*|`(?P<code>[^`]+)`")


class Math(NamedTuple):
    """A formula in LaTeX."""

    tex: str


class Emphasis(NamedTuple):
    """Emphasised words."""

    text: str


class Code(NamedTuple):
    """A name in the code."""

    text: str


Piece = str | Math | Emphasis | Code
Text = str | tuple[Piece, ...]


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Points:
    """Bullet points."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header. The first column and those in `words` hold text, all others
    numbers. `levels`: the depth of each row in the tree of rows. `total`: the last row is a sum."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    words: frozenset[int] = frozenset()
    levels: tuple[int, ...] = ()
    total: bool = False

    def level(self, row: int) -> int:
        return self.levels[row] if self.levels else 0


@dataclass(frozen=True)
class Drawing:
    """A picture, and its text alternative."""

    svg: str
    words: str


@dataclass(frozen=True)
class Listing:
    """A preformatted text, collapsed."""

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
    """A title, a summary line, the headline figures (name, value), and the sections."""

    title: str
    about: Text
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    appendix: Section


def text_pieces(text: Text) -> tuple[Piece, ...]:
    return (text,) if isinstance(text, str) else text


def parse_markup(text: str) -> tuple[Piece, ...]:
    """The pieces of a sentence in a family's guide: `$formula$`, `*emphasis*`, and code in back
    quotes."""
    return tuple(_parse_markup(text))


def _parse_markup(text: str) -> Iterator[Piece]:
    end = 0
    for mark in MARKUP.finditer(text):
        if mark.start() > end:
            yield text[end : mark.start()]
        if mark["math"]:
            yield Math(mark["math"])
        elif mark["emphasis"]:
            yield Emphasis(mark["emphasis"])
        else:
            yield Code(mark["code"])
        end = mark.end()
    if end < len(text):
        yield text[end:]


def percent(part: float, whole: float) -> str:
    """A part of a whole in percent; empty if it is zero."""
    if not (part and whole):
        return ""
    found = part / whole
    return "< 0.1 %" if found < 0.0005 else f"{100 * found:.1f} %" if found < 0.9995 else "100 %"


def split_links(text: str) -> Iterator[tuple[str, str]]:
    """Split a text into (words, URL); the URL is empty outside links."""
    end = 0
    for link in URL.finditer(text):
        address = link.group().rstrip(".:")
        yield text[end : link.start()], ""
        yield address, address
        end = link.start() + len(address)
    yield text[end:], ""
