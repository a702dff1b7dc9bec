"""What another process is asked for: until it is there, the page looks again by itself."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import streamlit as st

from studio.app import session
from studio.app.markup import plain

LOOK_S = 0.5  # between two looks


def is_there(found: Future[Any], told: str, title: str = "") -> bool:
    """Whether it is there, or failed; until then it is said what is waited for."""
    if not found.done():
        st.fragment(run_every=LOOK_S)(_waiting)(found, told, title)
    return found.done()


def _waiting(found: Future[Any], told: str, title: str) -> None:
    if found.done():
        session.again()  # the whole page, so that it ceases to look
    if title:
        st.markdown(f"**{plain(title)}**")
    st.progress(0.0, plain(told))
