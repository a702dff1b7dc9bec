"""The graph to take away: four files of what is shown, made when they are asked for."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from studio.app.links import file_stem, page_link
from studio.app.markup import html, plain
from studio.drawing.figure import Figure, Heading
from studio.drawing.render.formats import FORMATS
from studio.exports import figure_heading
from studio.process.caching import bounded
from studio.workbench import results
from studio.workbench.page.state import TABS, State

KINDS = {  # those first that are made at once
    "svg": ("SVG, for a paper", "image/svg+xml"),
    "html": ("Interactive HTML", "text/html"),
    "dot": ("DOT, for Graphviz", "text/vnd.graphviz"),
    "png": ("PNG, for slides", "image/png"),
}
# Streamlit opens a popover below its button, which is at the foot of the page: this one grows
# upwards from there.
STYLE = """<style>[data-testid="stPopoverBody"]:has([class*="st-key-files-"]) {
  transform: none !important; inset: auto 1rem 1rem auto !important;
  max-height: calc(100vh - 4.6rem) !important; }</style>"""


def downloads(figure: Figure, title: str, key: str = "takeaway") -> None:
    """A menu of files of a picture, which are named after the design.

    The files are made when the menu opens, in a run of the menu alone. (Made at a click, as
    Streamlit can too, a file is gone after two runs of any part of the page: before a slow browser
    has asked for it, while something is measured.)
    """
    st.fragment(_menu)(figure, file_stem(title), key)


def _menu(figure: Figure, name: str, key: str) -> None:
    menu = st.popover("Export", icon=":material/download:", key=key, on_change="rerun")
    if not menu.open:
        return
    files = menu.container(key=f"files-{key}", gap="xsmall")
    with files:
        html(STYLE)
    for form, (label, mime) in KINDS.items():
        files.download_button(
            plain(label),
            file_content(form, figure),
            key=f"{key}.{form}",
            file_name=f"{name}.{form}",
            mime=mime,
            on_click="ignore",
            width="stretch",
        )


@bounded(megabytes=32)
def file_content(form: str, figure: Figure) -> str | bytes:
    return FORMATS[form](figure)


def figure_heading_of(now: State, caption: str = "") -> Heading:
    """What stands above the page's graph, with what its colours say, and a link to the graph alone:
    not to what was open beside it. A draft has no figures: it is no network yet."""
    alone = replace(now, tab=TABS[0], axis="", node="")
    whole = figure_heading(results.profile_of(now.workload), page_link(alone), now.title)
    if not now.draft:
        return replace(whole, figures=(*whole.figures, caption) if caption else whole.figures)
    return replace(whole, title=f"{whole.title}, with a stage that does not fit", figures=())
