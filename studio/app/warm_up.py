"""What the server does before it answers: import the page, and compute what the first one shows.

The first visitor then waits neither for torch and plotly to be imported, nor for the figures, the
graph and the curves of the design that everybody sees first.
"""

from __future__ import annotations

from studio.app import main  # noqa: F401 - with everything that a page draws with
from studio.app.diagram.component import cached_layout
from studio.app.tabs import scaling
from studio.workbench import results
from studio.workbench.page.state import FIRST


def warm_up() -> None:
    """Fill the caches that all sessions share with what a page without a link needs."""
    cached_layout(results.graph(FIRST.workload), frozenset(FIRST.opened))
    for neighbour in scaling.workloads(FIRST):
        results.profile_of(neighbour)
