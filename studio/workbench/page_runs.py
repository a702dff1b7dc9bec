"""The interface through which the workbench learns about the run of the page that calls it.

Streamlit serves each session with a thread that runs the page's script, or a fragment of it, again
and again. The workbench does not know Streamlit.
"""

from __future__ import annotations


class PageRuns:
    """The default, without a page: for tests, notebooks and the command line."""

    def is_fragment(self) -> bool:
        """Whether this thread runs a fragment of the page that polls for a result."""
        return False

    def stop_if_outdated(self) -> None:
        """End this run if a newer one of its session is waiting."""

    def is_connected(self, session: str) -> bool:
        """Whether the browser of a session is still connected."""
        return True
