"""The Report tab: the design told in the five sections of an architect's report, to keep."""

from __future__ import annotations

import streamlit as st

from studio.app.markup import plain
from studio.app.pending import is_there
from studio.app.session import State
from studio.app.tabs.code import address, slug
from studio.bench.results import Measurement
from studio.workbench.architect_jobs import report_on, retry
from studio.workbench.measurements import LEDGER
from studio.workbench.recommendations import Documents


def report(now: State) -> None:
    point = LEDGER[now.case]
    measured = point if isinstance(point, Measurement) else None
    found = report_on(now.case, measured, now.commission, address(now))
    if not is_there(found, "Writing the report …"):
        return
    if error := found.exception():
        retry()
        st.warning(f"The report could not be written: {plain(error)}.", icon=":material/block:")
    else:
        _shown(now, found.result(), measured)


def _shown(now: State, documents: Documents, measured: Measurement | None) -> None:
    words, html, text = st.columns([3, 2, 2], vertical_alignment="center")
    words.caption("Includes the measured latency." if measured else "Latency not measured yet.")
    name = slug(now.title)
    html.download_button(
        "Printable HTML",
        documents.html,
        file_name=f"{name}.html",
        mime="text/html",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
        width="stretch",
    )
    text.download_button(
        "Markdown",
        documents.markdown,
        file_name=f"{name}.md",
        mime="text/markdown",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )
    st.iframe(documents.html)  # as high as it is: the page scrolls, not the report in it
