"""The layer graph on the page: an inline Streamlit component that shows the SVG made in Python.

Which blocks are open and which node is selected is the page's to say; a click only tells what it
would have shown. Where the reader looks (zoom, place, focus) stays in the browser, over all
re-runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from studio.drawing.graph import Graph, Node
from studio.drawing.layout import layout
from studio.drawing.mark import NO_MARKS, Mark, palette
from studio.drawing.svg import svg

BUTTONS = {
    "out": ("−", "Zoom out"),
    "in": ("+", "Zoom in"),
    "fit": ("Fit", "Show the whole graph"),
    "save": ("SVG", "Download the graph as an SVG file"),
}


def layer_graph(
    graph: Graph,
    *,
    key: str,
    opened: Iterable[str] = (),
    selected: str = "",
    lit: str = "",
    sight: str = "",
    marks: Mapping[str, Mark] = NO_MARKS,
    on_change: Callable[[tuple[str, ...], str], None] = lambda opened, selected: None,
    height: int = 560,
) -> Node | None:
    """Show the graph in `height` pixels; returns the selected node, if there is one.

    A click (or Enter) opens and closes a block, and selects any other node: `on_change` is called
    with the ids of all open blocks and of the selected node (empty for none). A node that the graph
    does not have counts neither as open nor as selected. `lit` is marked too, whatever is clicked;
    `sight` is brought into sight whenever it is another one. `marks` are what boxes bear.
    """
    known = {node.id: node for node in graph.root.walk()}
    shown = [name for name in opened if name in known]
    chosen = selected if selected in known else ""
    drawing = svg(layout(graph, frozenset(shown)), selected=chosen, lit=lit, marks=marks)
    data = {"svg": drawing, "open": shown, "selected": chosen, "height": height, "sight": sight}
    data["name"] = graph.root.label or "network"

    def clicked() -> None:
        now = st.session_state[key].shown
        on_change(tuple(now["open"]), now["selected"])

    _component()(key=key, data=data, height=height, on_shown_change=clicked)
    return known[chosen] if chosen else None


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
        css=(here / "graph.css").read_text(encoding="utf-8") + _scale(),
        js=(here / "graph.js").read_text(encoding="utf-8"),
    )


def _scale() -> str:
    """The colours of heat, for either theme of the page."""
    light, dark = palette(), palette(dark=True)
    colours = (f"--g-{name}: light-dark({light[name]}, {dark[name]});" for name in light)
    return f".graph {{ {' '.join(colours)} }}"
