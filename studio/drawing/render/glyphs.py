"""Texts as outlines, so that a picture looks the same everywhere, without fonts.

HarfBuzz shapes each text, with kerning, in Source Sans 3, the font of the page. Each glyph is
defined once and referenced by `<use>`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from html import escape
from typing import Any, NamedTuple
from xml.parsers.expat import ParserCreate

import fontpkg
import uharfbuzz

Attributes = dict[str, str]

FONT = "Source Sans 3"
EM = 1000  # font units per em
PLAIN = "400"
# Attributes that print does not need: there is no interaction, and no text is left.
UNUSED_ATTRIBUTES = frozenset({"tabindex", "aria-expanded", "aria-pressed", "data-to"})
UNUSED_ATTRIBUTES |= {"font-family", "font-size", "font-weight", "text-anchor"}
SHIFTS = {"middle": 0.5, "end": 1.0}


class Glyph(NamedTuple):
    """A glyph id of the font, and its x in font units."""

    number: int
    x: int


@lru_cache(maxsize=4096)
def shape(text: str, weight: str = PLAIN) -> tuple[tuple[Glyph, ...], int]:
    """The glyphs of a line of text, and its advance width, in font units."""
    if not text:
        return (), 0
    buffer = uharfbuzz.Buffer()
    buffer.add_str(_decompose_missing(text))
    buffer.guess_segment_properties()
    uharfbuzz.shape(_font(weight), buffer)
    glyphs, x = [], 0
    for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        glyphs.append(Glyph(info.codepoint, x + place.x_offset))
        x += place.x_advance
    return tuple(glyphs), x


def advance_width(text: str, size: float, weight: str = PLAIN) -> float:
    """The advance width of a line of text in pixels at font size `size` (pixels)."""
    return shape(text, weight)[1] * size / EM


@lru_cache(maxsize=2048)
def glyph_path(number: int, weight: str = PLAIN) -> str:
    """The `d` attribute of a glyph's SVG path, in font units, y downwards; empty for a space."""
    path: list[str] = []
    _font(weight).draw_glyph(number, _pen(), path)
    return "".join(path)


def outline_text(svg: str) -> str:
    """Replace each text of an SVG element by outlines. Its accessible name stays: that of the node
    around it, else the text itself."""
    outliner, parser = _TextOutliner(), ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = outliner.start
    parser.CharacterDataHandler = outliner.characters
    parser.EndElementHandler = outliner.end
    parser.Parse(svg, True)
    return outliner.svg()


@cache
def _font(weight: str) -> Any:
    font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(fontpkg.path(FONT)))))
    font.set_variations({"wght": float(weight)})
    return font


def _decompose_missing(text: str) -> str:
    """Decompose characters that the font lacks (NFKD)."""
    has = _font(PLAIN).get_nominal_glyph
    return "".join(c if has(ord(c)) else unicodedata.normalize("NFKD", c) for c in text)


@cache
def _pen() -> Any:
    """Appends path commands for the contours of a glyph. The font has quadratic curves only."""
    pen = uharfbuzz.DrawFuncs()
    pen.set_move_to_func(_path_command("M"))
    pen.set_line_to_func(_path_command("L"))
    pen.set_quadratic_to_func(_path_command("Q"))
    pen.set_close_path_func(lambda path: path.append("z"))
    return pen


def _path_command(command: str) -> Callable[..., None]:
    def draw(*given: Any) -> None:
        *ends, path = given
        signed = (-end if i % 2 else end for i, end in enumerate(ends))
        path.append(command + " ".join(f"{round(end)}" for end in signed))

    return draw


class _Style(NamedTuple):
    """Attributes that a text inherits. `named`: an ancestor has an accessible name."""

    size: float = 16.0
    weight: str = PLAIN
    anchor: str = "start"
    named: bool = False

    def within(self, attributes: Attributes) -> _Style:
        return _Style(
            float(attributes.get("font-size", self.size)),
            attributes.get("font-weight", self.weight),
            attributes.get("text-anchor", self.anchor),
            self.named or "aria-label" in attributes or "aria-hidden" in attributes,
        )


class _TextOutliner:
    """Copies an SVG element from expat events, replacing its texts by outlines."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.styles = [_Style()]
        self.used: dict[tuple[str, int], None] = {}
        self.text: tuple[Attributes, list[str]] | None = None
        self.unclosed = False  # True if the last piece is a start tag without its ">"

    def start(self, name: str, attributes: Attributes) -> None:
        self.styles.append(self.styles[-1].within(attributes))
        if name == "text":
            self.text = attributes, []
        elif self.text is None:
            self._open(name, _static_attributes(attributes))

    def characters(self, content: str) -> None:
        if self.text is None:
            self._put(escape(content))
        else:
            self.text[1].append(content)

    def end(self, name: str) -> None:
        style = self.styles.pop()
        if name == "text" and self.text:
            (attributes, parts), self.text = self.text, None
            self._set(attributes, "".join(parts), style)
        elif self.text is None:
            self._close(name)

    def _set(self, attributes: Attributes, text: str, style: _Style) -> None:
        glyphs, wide = shape(text, style.weight)
        scale = style.size / EM
        x = float(attributes["x"]) - wide * scale * SHIFTS.get(style.anchor, 0.0)
        place = f"translate({round(x, 2):g} {float(attributes['y']):g}) scale({scale:g})"
        look = {"transform": place} | ({"fill": attributes["fill"]} if "fill" in attributes else {})
        self._open("g", look | ({} if style.named else {"role": "img", "aria-label": text}))
        for number, at in glyphs:
            if glyph_path(number, style.weight):
                self.used[style.weight, number] = None
                use = {"xlink:href": f"#{_glyph_id(style.weight, number)}"}
                self._open("use", use | ({"x": f"{at}"} if at else {}))
                self._close("use")
        self._close("g")

    def _open(self, name: str, attributes: Attributes) -> None:
        attributes_text = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        self._put(f"<{name}{attributes_text}")
        self.unclosed = True

    def _close(self, name: str) -> None:
        if self.unclosed:
            self.out.append("/>")
            self.unclosed = False
        else:
            self.out.append(f"</{name}>")

    def _put(self, piece: str) -> None:
        if self.unclosed:
            self.out.append(">")
            self.unclosed = False
        self.out.append(piece)

    def svg(self) -> str:
        """The element, with definitions of all glyphs that it uses first."""
        start, *rest = self.out
        paths = (
            f'<path id="{_glyph_id(weight, number)}" d="{glyph_path(number, weight)}"/>'
            for weight, number in sorted(self.used)
        )
        return f"{start}><defs>{''.join(paths)}</defs>{''.join(rest[1:])}"


def _static_attributes(attributes: Attributes) -> Attributes:
    """The attributes without those of interaction."""
    static = {name: value for name, value in attributes.items() if name not in UNUSED_ATTRIBUTES}
    return static | ({"role": "img"} if static.get("role") == "button" else {})


def _glyph_id(weight: str, number: int) -> str:
    """The XML id of a glyph; short, since a large picture has tens of thousands of them."""
    return f"{'abcdefghi'[int(weight) // 100 - 1]}{number}"
