"""The layer graph on the page: an inline Streamlit component that shows the SVG made in Python.

The page decides which blocks are open and which node is selected; a click only reports what the
user asked for. The view (zoom, scroll position, focus) stays in the browser across re-runs. The
browser also marks the selection, so that the picture is not sent again for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from studio.app import session
from studio.app.preview.assets import joined
from studio.drawing.decoration import NO_MARKS, Mark
from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.levels import StillClosed, levels, still_closed
from studio.drawing.render.svg import svg
from studio.drawing.viewer import viewer_script, viewer_style
from studio.process.caching import bounded

NO_MOVES: Mapping[str, int] = {}
CLOSED: dict[StillClosed, str] = {
    "nothing": "",
    "long blocks": "Long blocks without layers stay closed; click one to open it.",
    "other blocks": "Too many boxes to open all at once; click a block to open it.",
}


def layer_graph(
    graph: Graph,
    *,
    key: str,
    opened: Iterable[str] = (),
    selected: str = "",
    highlighted: str = "",
    scroll_to: str = "",
    marks: Mapping[str, Mark] = NO_MARKS,
    on_change: Callable[[tuple[str, ...], str], None] = lambda opened, selected: None,
    height: int | str = 560,
    applied: Mapping[str, int] = NO_MOVES,
) -> Node | None:
    """Show the graph in a height of pixels, or of CSS; returns the selected node, if there is one.

    A click (or Enter) selects a node, and opens or closes a block; the buttons open all blocks down
    to a level. `on_change` is called with the ids of all open blocks and of the selected node
    (empty for none). A node that the graph does not have counts neither as open nor as selected.
    `highlighted`: a node that is marked too. `scroll_to`: a node that is scrolled into view when it
    changes. `marks`: the decorations of the boxes. `applied`: the moves of knobs that it shows.
    """
    known = {node.id: node for node in graph.root.walk()}
    names = tuple(opened)
    shown = tuple(name for name in names if name in known)
    chosen = selected if selected in known else ""
    picture = cached_layout(graph, frozenset(names))
    unfolded = frozenset(box.node.id for box in picture.boxes if box.open)
    steps = levels(graph)
    data = {
        "svg": svg(picture, marks=marks),
        "open": shown,
        "selected": chosen,
        "highlighted": highlighted,
        "scroll_to": scroll_to,
        "levels": len(steps) - 1,
        "level": steps.index(unfolded) if unfolded in steps else -1,
        "more": CLOSED[still_closed(graph, steps[-1])],
        "name": graph.root.label or "network",
        "height": height,
        "applied": dict(applied),
    }

    def asked() -> None:
        now = session.value(key).shown
        on_change(open_blocks(graph, now), now["selected"])

    frame_height = height if isinstance(height, int) else "content"
    _component()(key=key, data=data, height=frame_height, on_shown_change=asked)
    return known[chosen] if chosen else None


# Computed before the graph is drawn, while the figures are on their way (`page_frame`).
cached_layout = bounded(megabytes=24)(layout)


def open_blocks(graph: Graph, asked: dict[str, Any]) -> tuple[str, ...]:
    """The blocks that the browser asks to open: by name, or all down to a level."""
    if "level" not in asked:
        return tuple(asked["open"])
    steps = levels(graph)
    wanted = steps[min(max(int(asked["level"]), 0), len(steps) - 1)]
    return tuple(node.id for node in graph.root.walk() if node.id in wanted)


@cache
def _component() -> Any:
    """The component, registered when it is first shown. Its files are small enough to go inline."""
    return st.components.v2.component(
        "layer_graph",
        html='<div class="graph"></div>',
        css=viewer_style(),
        js=script(),
    )


def script() -> str:
    """The viewer, and what it does on the page, as the source of one JavaScript module."""
    own = Path(__file__).with_name("layer_graph.js").read_text(encoding="utf-8")
    return "\n".join((viewer_script(), joined("hand.js"), own))
