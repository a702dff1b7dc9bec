"""The Report tab: the report on the design, with downloads."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from studio.advice.requirements import RecommendationRequest
from studio.app import session
from studio.app.links import file_stem, page_link
from studio.app.pending import result
from studio.bench.results import Measurement
from studio.knobs import DesignError
from studio.workbench.jobs.recommendations import Documents
from studio.workbench.page.requirements_form import RequirementsForm
from studio.workbench.page.state import State


def report(now: State) -> None:
    bench = session.bench()
    # Without the open blocks of the graph: to open one must not write another report.
    link = page_link(replace(now, opened=(), node=""))
    documents = result(
        lambda: bench.report(now.workload, _request(now.requirements), link, session.name()),
        "Writing the report …",
        "The report could not be written",
    )
    if documents:
        _documents(now, documents, bench.measured(now.workload))


def _request(form: RequirementsForm) -> RecommendationRequest | None:
    """The request that the architect's form makes; None where it is empty or unreadable."""
    try:
        return form.request if form.typed else None
    except DesignError:
        return None


def _documents(now: State, documents: Documents, measured: Measurement | None) -> None:
    words, html, text = st.columns([3, 2, 2], vertical_alignment="center")
    words.caption("Includes the measured latency." if measured else "Latency not measured yet.")
    name = file_stem(now.title)
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
