"""Draws pending results: a fragment that polls until the result is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from studio.app import session
from studio.app.markup import plain
from studio.workbench.pending import Failed, Pending, Ready, Waiting

T = TypeVar("T")
POLL_S = 0.5


def poll(
    draw: Callable[[], None],
    is_waiting: Callable[[], bool],
    every_s: float = POLL_S,
    waits: bool | None = None,
) -> None:
    """Draw a part of the page; while something `is_waiting`, draw it again every few tenths of a
    second, and the whole page once that changes. `waits` is what the caller has seen already: the
    result may come between its look and this one."""
    if waits is None:
        waits = is_waiting()
    st.fragment(run_every=every_s if waits else None)(_draw)(draw, is_waiting, waits)


def _draw(draw: Callable[[], None], is_waiting: Callable[[], bool], waits: bool) -> None:
    with session.bench().priority.background():
        if is_waiting() != waits or session.mine().wants_page:
            session.rerun_page()
        draw()


def result(ask: Callable[[], Pending[T]], message: str, failure: str) -> T | None:
    """The result of `ask` once it is there. Until then `message` stands in its place; where it has
    failed, `failure` with the reason."""
    found = ask()
    if isinstance(found, Ready):
        return found.value
    if isinstance(found, Failed):
        st.caption(f":orange[{plain(f'{failure}: {found.reason}.')}]")
        return None
    poll(
        lambda: _progress(message, ask()),
        lambda: isinstance(ask(), Waiting),
        session.bench().poll_s(POLL_S),
        waits=True,
    )
    return None


def _progress(message: str, found: Pending[T]) -> None:
    if not isinstance(found, Waiting):
        st.progress(1.0, plain(message))
        return
    queue = f" · {found.ahead} ahead in the queue" if found.ahead else ""
    st.progress(found.progress, plain(f"{message}{queue}"))


def progress_text(found: Waiting[Any]) -> str:
    """`40% · 12 s left · 2 ahead in the queue`."""
    left = "" if found.left_s is None else f" · {max(1, math.ceil(found.left_s))} s left"
    queue = f" · {found.ahead} ahead in the queue" if found.ahead else ""
    return f"{found.progress:.0%}{left}{queue}"
