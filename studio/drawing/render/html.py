"""A graph as one interactive HTML file that works offline and can be printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from string import Template
from typing import NamedTuple

from studio.drawing.figure import Figure, Heading
from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.levels import StillClosed, levels, still_closed
from studio.drawing.node_table import NOTE, NodeRow, header_cells, node_rows
from studio.drawing.render.svg import svg
from studio.drawing.viewer import viewer_file, viewer_script, viewer_style

INDENT_REM = 0.9
CLOSED: dict[StillClosed, str] = {
    "nothing": "",
    "long blocks": "Long blocks without layers stay closed in this file.",
    "other blocks": "Deeper levels are not in this file: they have too many boxes.",
}


class Expansion(NamedTuple):
    """One picture of the file: its open blocks, and its expansion level or -1."""

    opened: frozenset[str]
    level: int


def html(figure: Figure) -> str:
    """The figure as a self-contained HTML file: the graph as exported and at each expansion level,
    with a table of its nodes for each."""
    graph, heading = figure.graph, figure.heading
    expansions, first = _expansions(graph, figure.opened)
    pictures = [layout(graph, expansion.opened) for expansion in expansions]
    svgs = [svg(picture, marks=figure.marks) for picture in pictures]
    rows = [_rows(graph, expansion.opened) for expansion in expansions]
    nodes = {box.node.id: box.node for picture in pictures for box in picture.boxes}
    data = {
        "name": graph.root.label or "network",
        "first": first,
        "more": CLOSED[still_closed(graph, expansions[-1].opened)],
        "pictures": [
            {"open": sorted(opened), "level": level}
            | ({} if i == first else {"svg": svgs[i], "rows": rows[i]})
            for i, (opened, level) in enumerate(expansions)
        ],
        "nodes": {name: _tooltip_lines(node) for name, node in nodes.items()},
    }
    return Template(viewer_file("standalone.html")).substitute(
        title=escape(heading.title),
        figures=escape(" · ".join(heading.figures)),
        link=_link(heading),
        svg=svgs[first],
        heads=header_cells(),
        rows=rows[first],
        note=NOTE,
        data=_script_safe(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
        style=viewer_style() + viewer_file("standalone.css"),
        script=viewer_script() + viewer_file("standalone.js"),
    )


def _expansions(graph: Graph, opened: frozenset[str]) -> tuple[Sequence[Expansion], int]:
    """The pictures of the file, and the index of the one that is shown first."""
    seen = frozenset(box.node.id for box in layout(graph, opened).boxes if box.open)
    known = [Expansion(found, level) for level, found in enumerate(levels(graph))]
    for expansion in known:
        if expansion.opened == seen:
            return known, expansion.level
    return [Expansion(seen, -1), *known], 0


def _link(heading: Heading) -> str:
    text = escape(heading.link)
    if heading.address:
        return f'<a href="{text}">{text}</a>'
    return f"<code>{text}</code>" if text else ""


def _tooltip_lines(node: Node) -> list[str]:
    times = f" × {node.repeat}" if node.repeat > 1 else ""
    return [node.label + times, node.detail, *node.facts]


def _rows(graph: Graph, opened: frozenset[str]) -> str:
    """The table rows of a picture as HTML."""
    return "\n".join(map(_row, node_rows(graph, opened)))


def _row(row: NodeRow) -> str:
    name = f'<button type="button">{escape(row.name)}</button>'
    return f'<tr data-id="{escape(row.id)}">{row.cells(name, INDENT_REM)}</tr>'


def _script_safe(text: str) -> str:
    """JSON that neither closes a script element nor opens an HTML comment."""
    return text.replace("</", r"<\/").replace("<!--", r"\u003c!--")
