"""The graph as a table, for those who do not see the picture."""

from __future__ import annotations

from html import escape

import streamlit as st

from studio.app.markup import html
from studio.drawing.graph import Graph
from studio.drawing.node_table import NOTE, header_cells, node_rows
from studio.process.caching import bounded

INDENT_REM = 0.8
STYLE = """<style>
.boxes { overflow-x: auto; }
.boxes table { font-size: .78rem; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.boxes :is(th, td) { padding: .15rem .6rem .15rem 0; text-align: right; white-space: nowrap;
  font-weight: 400; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.boxes thead th { font-weight: 600; }
.boxes :is(th, td):nth-child(-n+3) { text-align: left; }
.boxes td:nth-child(2) { white-space: normal; min-width: 8rem; }
</style>"""


def graph_table(graph: Graph, opened: frozenset[str]) -> None:
    """The visible boxes as a table, made when a user opens it."""
    st.fragment(_graph_table)(graph, opened)


def _graph_table(graph: Graph, opened: frozenset[str]) -> None:
    shown = st.expander("The graph as a table", key="boxes", on_change="rerun")
    if shown.open:
        with shown:
            html(table_html(graph, opened))
            st.caption(NOTE)


@bounded(megabytes=8)
def table_html(graph: Graph, opened: frozenset[str]) -> str:
    rows = (
        f"<tr>{row.cells(escape(row.name), INDENT_REM)}</tr>" for row in node_rows(graph, opened)
    )
    return (
        f'{STYLE}<div class="boxes"><table><thead><tr>{header_cells()}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
