"""A report as one self-contained HTML file, printable on A4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

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
from studio.reporting.mathml import mathml

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --muted: #5b6773; --rule: #dfe4ea; --blue: #1f5f9e; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 50rem; background: #fff;
  color: var(--ink); font: 16px/1.55 'Source Sans 3', Inter, Helvetica, Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .9rem;
  border-top: 1px solid var(--rule); }
p, ul { margin: .6rem 0; max-width: 44rem; }
ul { padding-left: 1.2rem; }
li { margin: .2rem 0; }
a { color: var(--blue); overflow-wrap: anywhere; }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.about { color: var(--muted); margin: 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem;
  margin: 1.4rem 0 0; }
dl div { border: 1px solid var(--rule); border-radius: .4rem; padding: .5rem .75rem; }
dt { font-size: .78rem; color: var(--muted); }
dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .78rem; font-weight: 400; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .86rem; line-height: 1.4; width: 100%;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: 0 0 .35rem; }
th, td { padding: .22rem .5rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
thead th { border-bottom-color: #9aa5b1; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tbody th { font-weight: 400; }
tbody th code { overflow-wrap: break-word; }
tbody tr.outer th { font-weight: 600; }
tr.total > * { font-weight: 600; border-bottom: 0; border-top: 1px solid #9aa5b1; }
.word { text-align: left; }
td:not(.word) { white-space: nowrap; }
@media screen and (max-width: 640px) { .wide table { min-width: 36rem; } }
figure { margin: 1.2rem 0; text-align: center; break-inside: avoid; }
figure svg { max-width: 100%; height: auto; max-height: 52rem; }
figcaption { font-size: .86rem; color: var(--muted); text-align: left; max-width: 44rem; }
details { margin: .8rem 0; }
summary { cursor: pointer; font-weight: 600; }
pre { font: .78rem/1.45 ui-monospace, Menlo, Consolas, monospace; background: #f6f8fa;
  padding: .9rem; border-radius: .4rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
@page { size: A4; margin: 12mm 14mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 8.5pt; line-height: 1.38; }
  h1 { font-size: 14pt; }
  h2 { font-size: 11pt; margin: 1rem 0 .3rem; padding-top: .45rem; break-after: avoid; }
  p, ul { margin: .35rem 0; max-width: none; }
  dl { grid-template-columns: repeat(5, 1fr); margin-top: .6rem; }
  dl div { padding: .2rem .5rem; }
  dd { font-size: 10pt; }
  .wide { overflow: visible; margin: .5rem 0; }
  table { font-size: 7.8pt; line-height: 1.3; }
  caption { break-after: avoid; }
  th, td { padding: .1rem .4rem; }
  tr { break-inside: avoid; }
  figure { margin: .4rem 0; }
  figure svg { max-height: 110mm; }
  figcaption { font-size: 7.5pt; max-width: none; }
  .drawings:has(> :nth-child(2)) { display: grid; grid-template-columns: 1fr 1fr; gap: 0 4mm; }
  a { color: inherit; text-decoration: none; }
  details:not([open]) { display: none; }
}
"""
INDENT_REM = 0.9


def html(report: Report) -> str:
    """The report as HTML, with pictures inline and all texts escaped."""
    sections = "\n".join(map(_section, report.sections))
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{_figure(value)}</dd></div>"
        for name, value in report.figures
    )
    title = escape(report.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: design report</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="about">{_text(report.about)}</p>
<dl>{figures}</dl>
</header>
{sections}
{_section(report.appendix)}
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = "\n".join(_blocks(section.blocks))
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{blocks}\n</section>"


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    """The blocks as HTML. Consecutive pictures are grouped, to stand side by side in print."""
    for drawn, group in groupby(blocks, key=lambda block: isinstance(block, Drawing)):
        content = "\n".join(map(_block, group))
        yield f'<div class="drawings">{content}</div>' if drawn else content


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_text(text)}</p>"
        case Points(items):
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Table():
            table = f"<table>{''.join(_table(block))}</table>"
            return f'<div class="wide" tabindex="0">{table}</div>'  # keys can scroll it
        case Drawing(svg, words):
            still = f"<div inert>{svg}</div>"  # its boxes are buttons on the page, but not here
            picture = f'<div role="img" aria-label="{escape(words)}">{still}</div>'
            return f"<figure>{picture}<figcaption>{escape(words)}</figcaption></figure>"
        case Listing(title, _, text):
            body = f"<pre><code>{escape(text.rstrip())}</code></pre>"
            return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"<caption>{escape(table.caption)}</caption>"
    heads = (
        f'<th scope="col"{_word(table, i)}>{escape(name)}</th>' for i, name in enumerate(table.head)
    )
    yield f"<thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for number, (name, *cells) in enumerate(table.rows):
        shift = INDENT_REM * table.level(number)
        style = f' style="padding-left:{shift:g}rem"' if shift else ""
        rest = (f"<td{_word(table, i)}>{_text(cell)}</td>" for i, cell in enumerate(cells, 1))
        head = f'<th scope="row" class="word"{style}>{_text(name)}</th>'
        yield f"<tr{_kind(table, number)}>{head}{''.join(rest)}</tr>"
    yield "</tbody>"


def _figure(text: str) -> str:
    """A headline figure; what is added in brackets is smaller, on lines of its own."""
    value, bracket, more = text.partition(" (")
    return f"{escape(value)} <small>({escape(more)}</small>" if bracket else escape(value)


def _word(table: Table, column: int) -> str:
    return ' class="word"' if column == 0 or column in table.words else ""


def _kind(table: Table, number: int) -> str:
    """The CSS class of a row: the total, or the parent of other rows."""
    if table.total and number == len(table.rows) - 1:
        return ' class="total"'
    after = number + 1
    inside = after < len(table.rows) and table.level(after) > table.level(number)
    return ' class="outer"' if inside else ""


def _text(text: Text) -> str:
    return "".join(map(_piece, text_pieces(text)))


def _piece(piece: Piece) -> str:
    match piece:
        case Math(tex):
            return mathml(tex)
        case Emphasis(text):
            return f"<em>{escape(text)}</em>"
        case Code(text):
            return f"<code>{escape(text)}</code>"
        case _:
            return "".join(_link(words, url) for words, url in split_links(piece))


def _link(words: str, url: str) -> str:
    return f'<a href="{escape(url)}">{escape(words)}</a>' if url else escape(words)
