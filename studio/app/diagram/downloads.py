"""Downloads of the layer graph: four file formats, rendered on demand."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from studio.app import session
from studio.app.links import file_stem, page_link
from studio.app.markup import html, plain
from studio.app.pending import poll
from studio.drawing.figure import Figure, Heading
from studio.drawing.render.formats import FORMATS
from studio.exports import figure_heading
from studio.process.caching import bounded
from studio.workbench import results
from studio.workbench.page.state import TABS, State
from studio.workbench.pending import Failed, Pending, Ready, Waiting

KINDS = {
    "svg": ("SVG, for a paper", "image/svg+xml"),
    "html": ("Interactive HTML", "text/html"),
    "dot": ("DOT, for Graphviz", "text/vnd.graphviz"),
    "png": ("PNG, for slides", "image/png"),
}
QUICK = ("svg", "dot")  # tens of milliseconds; the others take seconds for a large graph
# Streamlit opens a popover below its button, which is at the foot of the page: this one grows
# upwards from there.
STYLE = """<style>[data-testid="stPopoverBody"]:has([class*="st-key-files-"]) {
  transform: none !important; inset: auto 1rem 1rem auto !important;
  max-height: calc(100vh - 4.6rem) !important; }</style>"""


def downloads(figure: Figure, title: str, key: str = "downloads") -> None:
    """A menu of download formats; files are named after the design.

    The files are made when the menu opens, in a run of the menu alone. (Streamlit can also make a
    file at the click, but drops it after two runs of any part of the page. While something is
    measured, that may be before a slow browser has fetched it.)
    """
    st.fragment(_menu)(figure, file_stem(title), key)


def _menu(figure: Figure, name: str, key: str) -> None:
    menu = st.popover("Download", icon=":material/download:", key=key, on_change="rerun")
    if not menu.open:
        return
    files = menu.container(key=f"files-{key}", gap="xsmall")
    found = {form: _file(form, figure) for form in KINDS}
    with files:
        html(STYLE)
        for form, content in found.items():
            _button(form, content, f"{name}.{form}", f"{key}.{form}")
        if any(isinstance(content, Waiting) for content in found.values()):
            poll(lambda: None, lambda: _is_rendering(figure), waits=True)


def _file(form: str, figure: Figure) -> Pending[str | bytes]:
    """A picture; those that take seconds are rendered in another process."""
    if form in QUICK:
        return Ready(file_content(form, figure))
    return session.bench().picture(form, figure)


def _is_rendering(figure: Figure) -> bool:
    return any(isinstance(_file(form, figure), Waiting) for form in KINDS)


def _button(form: str, content: Pending[str | bytes], file_name: str, key: str) -> None:
    label, mime = KINDS[form]
    if isinstance(content, Failed):
        st.caption(f":orange[{plain(f'{label}: {content.reason}.')}]")
        return
    st.download_button(
        plain(label if isinstance(content, Ready) else f"{label} (rendering …)"),
        content.value if isinstance(content, Ready) else "",
        key=key,
        file_name=file_name,
        mime=mime,
        on_click="ignore",
        disabled=not isinstance(content, Ready),
        width="stretch",
    )


@bounded(megabytes=32)
def file_content(form: str, figure: Figure) -> str | bytes:
    return FORMATS[form](figure)


def figure_heading_of(now: State, caption: str = "") -> Heading:
    """The heading of an exported graph: title, costs, legend, and a link that opens the graph
    without the tab beside it. An invalid composition has no costs."""
    alone = replace(now, tab=TABS[0], axis="", node="")
    whole = figure_heading(results.profile_of(now.workload), page_link(alone), now.title)
    if not now.invalid_composition:
        return replace(whole, figures=(*whole.figures, caption) if caption else whole.figures)
    return replace(whole, title=f"{whole.title}, invalid composition", figures=())
