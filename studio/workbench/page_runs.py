"""What the workbench has to know about the runs of the page that asks it.

Streamlit serves each session by a thread that runs the page's script, or one part of it, again and
again. The workbench does not know Streamlit: the page says who it is through this interface.
"""

from __future__ import annotations


class PageRuns:
    """The runs of no page: of a test, a notebook or the command line."""

    def is_fragment(self) -> bool:
        """Whether this thread runs a part of the page that polls for a result."""
        return False

    def stop_if_outdated(self) -> None:
        """End this run where its reader has moved on meanwhile."""

    def is_connected(self, session: str) -> bool:
        """Whether the browser of a session is still there."""
        return True
