"""The graph as a table, for those who do not see the picture."""

from __future__ import annotations

from functools import lru_cache
from html import escape

import streamlit as st

from studio.drawing.graph import Graph
from studio.drawing.table import Row, table

INDENT_REM = 0.8
HEADS = ("Box", "Fed by", "Hands on", "Parameters", "MACs", "Bytes kept for backward")
NOTE = "Figures are those of all repeats of a box, within one of the block around it."
STYLE = """<style>
.boxes { overflow-x: auto; }
.boxes table { font-size: .78rem; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.boxes :is(th, td) { padding: .15rem .6rem .15rem 0; text-align: right; white-space: nowrap;
  font-weight: 400; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.boxes thead th { font-weight: 600; }
.boxes :is(th, td):nth-child(-n+3) { text-align: left; }
.boxes td:nth-child(2) { white-space: normal; min-width: 8rem; }
</style>"""


def boxes(graph: Graph, opened: frozenset[str]) -> None:
    """The boxes that are shown, in a table that is made when it is asked for."""
    st.fragment(_boxes)(graph, opened)


def _boxes(graph: Graph, opened: frozenset[str]) -> None:
    shown = st.expander("The graph as a table", key="boxes", on_change="rerun")
    if shown.open:
        shown.html(written(graph, opened))
        shown.caption(NOTE)


@lru_cache(maxsize=32)
def written(graph: Graph, opened: frozenset[str]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    rows = "".join(map(_row, table(graph, opened)))
    return (
        f'{STYLE}<div class="boxes"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(row: Row) -> str:
    costs = (row.figures.params, row.figures.macs, row.figures.saved_bytes)
    texts = (", ".join(row.fed_by), row.hands_on, *(f"{n:,}" if n else "–" for n in costs))
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return (
        f'<tr><th scope="row" style="padding-left:{INDENT_REM * row.depth:g}rem">'
        f"{escape(row.name)}</th>{cells}</tr>"
    )
