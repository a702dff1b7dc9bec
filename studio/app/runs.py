"""What Streamlit knows about the run of the page that this thread is in."""

from __future__ import annotations

from time import monotonic, sleep

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from studio.workbench.page_runs import PageRuns

STEP_S = 0.005  # of a pause


class StreamlitRuns(PageRuns):
    """The runs of Streamlit's sessions."""

    def is_fragment(self) -> bool:
        context = get_script_run_ctx(suppress_warning=True)
        return bool(context and context.fragment_ids_this_run)

    def stop_if_outdated(self) -> None:
        """Streamlit ends a run whose reader has moved on when it reads the session's state."""
        st.session_state.get("painted")

    def is_connected(self, session: str) -> bool:
        """A name that is no session's always counts."""
        if not (session and runtime.exists()):
            return True
        return runtime.get_instance().is_active_session(session)


RUNS = StreamlitRuns()


def pause(seconds: float) -> None:
    """Wait, unless the reader moves on."""
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        sleep(min(left, STEP_S))
        RUNS.stop_if_outdated()
