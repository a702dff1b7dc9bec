"""A report as Markdown for GitHub and notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio.reporting.document import (
    Block,
    Code,
    Drawing,
    Emphasis,
    Listing,
    Math,
    Paragraph,
    Piece,
    Points,
    Report,
    Section,
    Table,
    Text,
    split_links,
    text_pieces,
)

SPECIAL = re.compile(r"[\\`*<\[\]|$~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|^[#>+-]")
INDENT = "&nbsp;&nbsp;"


def markdown(report: Report) -> str:
    """The report as Markdown. Markdown has no inline SVG, so pictures are given in words."""
    figures = Table("", ("Figure", "Value"), report.figures)
    parts = (
        f"# {_text(report.title)}",
        _text(report.about),
        _block(figures),
        *(_section(section) for section in (*report.sections, report.appendix)),
    )
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join((f"## {_text(section.title)}", *map(_block, section.blocks)))


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _text(text)
        case Points(items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Table():
            return "\n".join(_table(block))
        case Drawing(_, words):
            return f"*Figure:* {_text(words)}"
        case Listing():
            return _listing(block)


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"*{_text(table.caption)}*\n"
    sides = ("---" if i == 0 or i in table.words else "---:" for i in range(len(table.head)))
    yield _row(_text(cell) for cell in table.head)
    yield _row(sides)
    last = len(table.rows) - 1
    for number, row in enumerate(table.rows):
        cells = [_text(cell) for cell in row]
        if table.total and number == last:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        cells[0] = INDENT * table.level(number) + cells[0]
        yield _row(cells)


def _row(cells: Iterator[str] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _listing(listing: Listing) -> str:
    runs = re.findall(r"`+", listing.text)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    body = f"{fence}{listing.language}\n{listing.text.rstrip()}\n{fence}"
    return f"<details><summary>{_text(listing.title)}</summary>\n\n{body}\n\n</details>"


def _text(text: Text) -> str:
    return "".join(map(_piece, text_pieces(text)))


def _piece(piece: Piece) -> str:
    match piece:
        case Math(tex):
            return f"${tex}$"
        case Emphasis(text):
            return f"*{_plain(text)}*"
        case Code(text):
            inside = " ".join(text.replace("`", "'").replace("|", "\\|").split())
            return f"`{inside}`"
        case _:
            return "".join(
                f"<{url}>" if url else _plain(words) for words, url in split_links(piece)
            )


def _plain(text: str) -> str:
    """A text without Markdown markup, on one line."""
    return SPECIAL.sub(lambda mark: "\\" + mark.group(), re.sub(r"\s+", " ", text))
