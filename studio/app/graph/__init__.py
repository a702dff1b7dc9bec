"""The layer graph on the page: an inline Streamlit component that shows the SVG made in Python.

Which blocks are open and which node is selected live in `st.session_state[key]`, so that the page,
a test or a link can set them: `st.session_state[key] = {"open": ["blocks.0"], "selected": "head"}`.
Where the reader looks (zoom, place, focus) stays in the browser, over all re-runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from studio.drawing.graph import Graph
from studio.drawing.layout import layout
from studio.drawing.svg import svg

BUTTONS = {
    "out": ("−", "Zoom out"),
    "in": ("+", "Zoom in"),
    "fit": ("Fit", "Show the whole graph"),
    "save": ("SVG", "Download the graph as an SVG file"),
}


def layer_graph(graph: Graph, *, key: str, height: int = 560) -> str | None:
    """Show the graph in `height` pixels; returns the id of the selected node, if there is one.

    A click (or Enter) opens and closes a block, and selects any other node. A node that the graph
    no longer has counts neither as open nor as selected.
    """
    state: Mapping[str, Any] = st.session_state.get(key) or {}
    known = {node.id for node in graph.root.walk()}
    opened = [name for name in state.get("open") or () if name in known]
    selected = state.get("selected") if state.get("selected") in known else None
    drawing = svg(layout(graph, frozenset(opened)), selected=selected or "")
    data = {"svg": drawing, "open": opened, "selected": selected, "height": height}
    data["name"] = graph.root.label or "network"
    result = _component()(
        key=key,
        data=data,
        height=height,
        on_open_change=_rerun,
        on_selected_change=_rerun,
    )
    chosen = result.selected
    return chosen if chosen in known else None


def _rerun() -> None:
    """A state that may change has to name a callback; the re-run itself draws the change."""


@cache
def _component() -> Any:
    """The component, registered when it is first shown. Its files are small enough to go inline."""
    here = Path(__file__).parent
    buttons = "".join(
        f'<button type="button" data-do="{do}" aria-label="{name}" title="{name}">{sign}</button>'
        for do, (sign, name) in BUTTONS.items()
    )
    return st.components.v2.component(
        "layer_graph",
        html=f'<div class="graph"><div class="bar">{buttons}</div><div class="canvas"></div></div>',
        css=(here / "graph.css").read_text(encoding="utf-8"),
        js=(here / "graph.js").read_text(encoding="utf-8"),
    )
