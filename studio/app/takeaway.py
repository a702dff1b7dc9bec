"""The graph to take away: four files of what is shown, each made when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from studio.app import figures
from studio.app.listing import address, slug
from studio.app.state import State
from studio.drawing.prints import PRINTS
from studio.drawing.sheet import Heading, Sheet
from studio.forms import heading

KINDS = {
    "svg": ("SVG, for a paper", "image/svg+xml"),
    "png": ("PNG, for slides", "image/png"),
    "dot": ("DOT, for Graphviz", "text/vnd.graphviz"),
    "html": ("HTML, to look into", "text/html"),
}


def take_away(sheet: Sheet, title: str, key: str = "takeaway") -> None:
    """A menu of files of a picture, which are named after the design."""
    with st.popover("Take away", icon=":material/download:", key=key):
        for form, (label, mime) in KINDS.items():
            st.download_button(
                label,
                partial(PRINTS[form], sheet),
                key=f"{key}.{form}",
                file_name=f"{slug(title)}.{form}",
                mime=mime,
                on_click="ignore",
                width="stretch",
            )


def headed(now: State) -> Heading:
    """What stands above the page's graph. A draft has no figures: it is no network yet."""
    whole = heading(figures.profiled(now.case), address(now), now.title)
    if not now.draft:
        return whole
    return replace(whole, title=f"{whole.title}, with a row that does not fit", figures=())
