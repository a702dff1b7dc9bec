"""SVG for print: white background, a heading, and all texts as outlines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from studio.drawing.figure import Figure, Heading
from studio.drawing.layout.layered import MARGIN, layout
from studio.drawing.render.glyphs import advance_width, outline_text
from studio.drawing.render.svg import PAPER, svg

LEADING = 1.4  # line height in font sizes
MIN_HEADING_WIDTH = 480.0  # pixels: a network of one column is narrower than its heading
MAX_LINES = 4  # of each part of the heading
BACKGROUND = '<rect width="100%" height="100%" fill="#ffffff"/>'
BREAKABLE = re.compile(r".+?(?:[\s&?/,|]+|$)")  # a line may break after each match


class Line(NamedTuple):
    """A line of the heading: its font size in pixels and the name of its colour."""

    text: str
    size: float
    weight: str
    colour: str


def print_svg(figure: Figure) -> str:
    """The figure as one self-contained SVG element, without fonts. Units are CSS pixels (96 per
    inch)."""
    picture, heading = layout(figure.graph, figure.opened), figure.heading
    drawn = svg(picture, theme="paper", marks=figure.marks).replace(BACKGROUND, "")
    inside = drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")]
    wide = max(picture.width, MIN_HEADING_WIDTH + 2 * MARGIN)
    lines = tuple(_heading_lines(heading, wide - 2 * MARGIN))
    top = MARGIN + round(sum(line.size * LEADING for line in lines), 1)
    high = top + picture.height
    return outline_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{wide:g}" height="{high:g}" viewBox="0 0 {wide:g} {high:g}" '
        f'fill="{PAPER["ink"]}"><title>{escape(heading.title)}</title>'
        f"<desc>{escape(', '.join(heading.lines[1:]))}</desc>{BACKGROUND}"
        f"{''.join(_heading_svg(lines, heading.address, wide / 2))}"
        f'<g transform="translate({(wide - picture.width) / 2:g} {top:g})">{inside}</g></svg>'
    )


def _heading_lines(heading: Heading, limit: float) -> Iterator[Line]:
    """The lines of the heading, at most `limit` pixels wide."""
    looks = (
        (heading.title, 19.0, "600", "ink"),
        (" · ".join(heading.figures), 12.5, "400", "ink"),
        (heading.link, 10.5, "400", "muted"),
    )
    for text, size, weight, colour in looks:
        for part in wrap(text, size, weight, limit):
            yield Line(part, size, weight, colour)


def wrap(text: str, size: float, weight: str, limit: float) -> list[str]:
    """Break a text into lines of at most `limit` pixels where it has break opportunities. After
    MAX_LINES the text ends in an ellipsis."""
    lines = [""]
    for piece in BREAKABLE.findall(text):
        if lines[-1] and advance_width(lines[-1] + piece.rstrip(), size, weight) > limit:
            lines.append("")
        lines[-1] += piece
    lines = [line.strip(" ·") for line in lines if text]
    if len(lines) > MAX_LINES:
        return [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1].rstrip("&?/,|") + " …"]
    return lines


def _heading_svg(lines: tuple[Line, ...], address: str, middle: float) -> Iterator[str]:
    y = MARGIN / 2
    for text, size, weight, colour in lines:
        y += size * LEADING
        line = (
            f'<text x="{middle:g}" y="{y - size * (LEADING - 1):.1f}" font-size="{size:g}" '
            f'font-weight="{weight}" text-anchor="middle" fill="{PAPER[colour]}">'
            f"{escape(text)}</text>"
        )
        is_link = address and colour == "muted"
        yield f'<a xlink:href="{escape(address)}">{line}</a>' if is_link else line
