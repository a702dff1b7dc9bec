"""The sweep of a session: one at a time."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from studio.workbench.measurements import Watch


@dataclass
class Sweeping:
    """The sweep under way, and why the last one ended early, in one sentence.

    A press of the button takes hold of this first and writes into it when its sweep is begun, which
    takes a while in a class: Streamlit ends a callback at its next look at the session's state if
    the reader has moved a slider meanwhile, and the press would be lost.
    """

    watch: Watch | None = None
    trouble: str = ""

    def under_way(self) -> Watch | None:
        """The sweep while it is at work; what it has found so far is written down."""
        if self.watch and not self.watch.look():
            self.trouble = self.watch.trouble
            self.watch = None  # an old sweep must not overwrite newer figures
        return self.watch


def sweeping() -> Sweeping:
    """That of this session."""
    mine: Sweeping = st.session_state.setdefault("sweeping", Sweeping())
    return mine
