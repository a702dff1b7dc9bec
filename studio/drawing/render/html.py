"""A graph as one HTML file: to open without a network, to look into, and to print."""

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


class Folding(NamedTuple):
    """A picture in the file: its open blocks, and which level that is; -1 for none."""

    opened: frozenset[str]
    level: int


def html(figure: Figure) -> str:
    """The figure as a file that asks for nothing from outside: the graph as it is shown and at each
    level of unfolding, with what each box says, and the same as a table."""
    graph, heading = figure.graph, figure.heading
    foldings, first = _foldings(graph, figure.opened)
    pictures = [layout(graph, folding.opened) for folding in foldings]
    drawn = [svg(picture, marks=figure.marks) for picture in pictures]
    rows = [_rows(graph, folding.opened) for folding in foldings]
    nodes = {box.node.id: box.node for picture in pictures for box in picture.boxes}
    data = {
        "name": graph.root.label or "network",
        "first": first,
        "more": CLOSED[still_closed(graph, foldings[-1].opened)],
        "pictures": [
            {"open": sorted(opened), "level": level}
            | ({} if i == first else {"svg": drawn[i], "rows": rows[i]})
            for i, (opened, level) in enumerate(foldings)
        ],
        "nodes": {name: _told(node) for name, node in nodes.items()},
    }
    return Template(viewer_file("standalone.html")).substitute(
        title=escape(heading.title),
        figures=escape(" · ".join(heading.figures)),
        link=_link(heading),
        svg=drawn[first],
        heads=header_cells(),
        rows=rows[first],
        note=NOTE,
        data=_inert(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
        style=viewer_style() + viewer_file("standalone.css"),
        script=viewer_script() + viewer_file("standalone.js"),
    )


def _foldings(graph: Graph, opened: frozenset[str]) -> tuple[Sequence[Folding], int]:
    """What the reader may look at, and which of it is shown first."""
    seen = frozenset(box.node.id for box in layout(graph, opened).boxes if box.open)
    known = [Folding(found, level) for level, found in enumerate(levels(graph))]
    for folding in known:
        if folding.opened == seen:
            return known, folding.level
    return [Folding(seen, -1), *known], 0


def _link(heading: Heading) -> str:
    text = escape(heading.link)
    if heading.address:
        return f'<a href="{text}">{text}</a>'
    return f"<code>{text}</code>" if text else ""


def _told(node: Node) -> list[str]:
    times = f" × {node.repeat}" if node.repeat > 1 else ""
    return [node.label + times, node.detail, *node.facts]


def _rows(graph: Graph, opened: frozenset[str]) -> str:
    """A row for each box of a picture, in the order of the data flow."""
    return "\n".join(map(_row, node_rows(graph, opened)))


def _row(row: NodeRow) -> str:
    name = f'<button type="button">{escape(row.name)}</button>'
    return f'<tr data-id="{escape(row.id)}">{row.cells(name, INDENT_REM)}</tr>'


def _inert(text: str) -> str:
    """JSON that ends no script element and begins no comment."""
    return text.replace("</", r"<\/").replace("<!--", r"\u003c!--")
