"""The layer graph on the page: an inline Streamlit component that shows the SVG made in Python.

Which blocks are open and which node is selected is the page's to say; a click only tells what it
would have shown. Where the reader looks (zoom, place, focus) stays in the browser, over all
re-runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import streamlit as st

from studio.drawing.graph import Graph, Node
from studio.drawing.layout import layout
from studio.drawing.svg import svg
from studio.drawing.viewer import part

BUTTONS = {
    "out": ("−", "Zoom out"),
    "in": ("+", "Zoom in"),
    "fit": ("Fit", "Show the whole graph"),
}


def layer_graph(
    graph: Graph,
    *,
    key: str,
    opened: Iterable[str] = (),
    selected: str = "",
    lit: str = "",
    sight: str = "",
    on_change: Callable[[tuple[str, ...], str], None] = lambda opened, selected: None,
    height: int = 560,
) -> Node | None:
    """Show the graph in `height` pixels; returns the selected node, if there is one.

    A click (or Enter) opens and closes a block, and selects any other node: `on_change` is called
    with the ids of all open blocks and of the selected node (empty for none). A node that the graph
    does not have counts neither as open nor as selected. `lit` is marked too, whatever is clicked;
    `sight` is brought into sight whenever it is another one.
    """
    known = {node.id: node for node in graph.root.walk()}
    shown = [name for name in opened if name in known]
    chosen = selected if selected in known else ""
    drawing = svg(layout(graph, frozenset(shown)), selected=chosen, lit=lit)
    data = {"svg": drawing, "open": shown, "selected": chosen, "height": height, "sight": sight}

    def clicked() -> None:
        now = st.session_state[key].shown
        on_change(tuple(now["open"]), now["selected"])

    _component()(key=key, data=data, height=height, on_shown_change=clicked)
    return known[chosen] if chosen else None


@cache
def _component() -> Any:
    """The component, registered when it is first shown. Its files are small enough to go inline."""
    buttons = "".join(
        f'<button type="button" data-do="{do}" aria-label="{name}" title="{name}">{sign}</button>'
        for do, (sign, name) in BUTTONS.items()
    )
    return st.components.v2.component(
        "layer_graph",
        html=f'<div class="graph"><div class="bar">{buttons}</div><div class="canvas"></div></div>',
        css=part("graph.css"),
        js=part("graph.js"),
    )
