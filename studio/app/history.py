"""The designs of this session, in the order in which they were on the page: undo, redo, go back.

The browser's back button does the same, one view at a time; here each design stands with what was
changed in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

import streamlit as st

from studio.app import composition, state
from studio.app.case import Case
from studio.app.markup import plain
from studio.app.state import State
from studio.family import Design, Preset

MOST = 60  # designs that are remembered


class Visit(NamedTuple):
    """A case that was on the page, and the preset that it was told from."""

    case: Case
    preset: Preset


@dataclass(frozen=True)
class History:
    """The visits, and which of them is on the page."""

    visits: tuple[Visit, ...] = ()
    at: int = -1

    def visited(self, visit: Visit) -> History:
        """With a visit after the one on the page; those that were undone are forgotten."""
        if self.visits and self.visits[self.at].case == visit.case:
            return self
        kept = (*self.visits[: self.at + 1], visit)[-MOST:]
        return History(kept, len(kept) - 1)

    def gone(self, at: int) -> History:
        return replace(self, at=min(max(at, 0), len(self.visits) - 1))


@lru_cache(maxsize=1024)
def change(before: Visit, after: Visit) -> str:
    """What was changed between two visits, in the words of the knobs: `depth 12 → 13`."""
    if before.case.design.family is not after.case.design.family:
        return f"{after.case.design.family.title}: {after.case.design.titled(after.preset)}"
    if after.preset != before.preset and after.case.design.config == after.preset.config:
        return after.preset.name
    then, now = before.case, after.case
    moved = [*_rearranged(then.design, now.design)] or [
        f"{name} {was} → {here}" for name, was, here in now.design.moved(then.design.config)
    ]
    moved += [
        f"{name} {getattr(then, name)} → {getattr(now, name)}"
        for name in ("batch", "mode", "dtype", "layout", "compiled", "device")
        if getattr(then, name) != getattr(now, name)
    ]
    return ", ".join(moved) or after.case.design.titled(after.preset)


def _rearranged(before: Design, after: Design) -> Iterator[str]:
    """The rows of a composition that came and went: `+ 2 Transformer`."""
    if not composition.is_composed(after.family):
        return
    olds, news = (composition.rows_of(design.config) for design in (before, after))
    old_kinds, new_kinds = ([type(row).__name__ for row in rows] for rows in (olds, news))
    matched = SequenceMatcher(None, old_kinds, new_kinds)
    for tag, i, i_end, j, j_end in matched.get_opcodes():
        if tag != "equal":
            yield from (f"− {composition.called(olds, n)}" for n in range(i, i_end))
            yield from (f"+ {composition.called(news, n)}" for n in range(j, j_end))


def history(now: State) -> None:
    """Undo, redo, and the list of all designs so far. What is undone of a draft is the draft."""
    known: History = st.session_state.get("history", History()).visited(Visit(now.case, now.preset))
    st.session_state.history = known
    with st.container(horizontal=True, gap="xsmall", wrap=False, key="history"):
        back = known.at if now.draft else known.at - 1
        for label, at in (("Undo", back), ("Redo", known.at + 1)):
            able = 0 <= at < len(known.visits)
            words = told(known, max(at, known.at)) if able else ""
            if now.draft and at == back:
                words = now.draft.fault
            st.button(
                plain(label),
                key=label.lower(),
                help=plain(words) or None,
                disabled=not able,
                on_click=_go,
                args=(at,),
                width="stretch",
            )
        with st.popover("History", width="stretch"):
            entries(known)


def entries(known: History) -> None:
    """The newest first, the one on the page marked."""
    for at in reversed(range(len(known.visits))):
        st.button(
            f"{'● ' if at == known.at else ''}{plain(told(known, at))}",
            key=f"history.{at}",
            type="tertiary",
            disabled=at == known.at,
            on_click=_go,
            args=(at,),
        )


def told(known: History, at: int) -> str:
    """A visit by what was changed in it; the first by its title."""
    visit = known.visits[at]
    return change(known.visits[at - 1], visit) if at else visit.case.design.titled(visit.preset)


def _go(at: int) -> None:
    known: History = st.session_state.history.gone(at)
    st.session_state.history = known
    state.put(returned(state.current(), known.visits[known.at]))


def returned(now: State, visit: Visit) -> State:
    """The page with the case of an earlier visit."""
    return replace(now.moved(visit.case), preset=visit.preset, draft=None)
