"""Undo and redo lead to every page that there was, drafts of compositions among them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from studio.app.controls import history, navigation, sidebar
from studio.workbench.page.history import History, Visit, restore_visit
from studio.workbench.page.state import FIRST, State
from tests.app.conftest import run, state, visited
from tests.app.walks import ACTIONS, begin

DRAFT = {"view": "Compose", "family": "hybrid", "draft": "SeriesStem() Conv() PooledHead()"}


def visit(now: State) -> Visit:
    return Visit(now.workload, now.preset, now.invalid_composition)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_every_page_that_there_was_comes_back(data: st.DataObject) -> None:
    now, known, seen = FIRST, History(), []
    for _ in range(10):
        now = data.draw(st.sampled_from(ACTIONS))(now, data.draw)
        known = known.add(visit(now))
        if not seen or (now.workload, now.invalid_composition) != (
            seen[-1].workload,
            seen[-1].invalid_composition,
        ):
            seen.append(visit(now))
    assert len(known.visits) == len(seen)
    for at in (*reversed(range(len(seen))), *range(len(seen))):
        known = known.go_to(at)
        now = restore_visit(now, known.visits[known.at])
        assert (now.workload, now.preset, now.invalid_composition) == seen[at]
        assert known.add(visit(now)) is known  # what was undone can be redone
        label = history.visit_label(known, at)
        assert label
        assert label.endswith("does not fit") == (seen[at].invalid_composition is not None)


def press(app: AppTest, key: str) -> State:
    app.button(key=key).click()
    run(app)
    return state(app)


@pytest.mark.usefixtures("still")
def test_each_edit_of_a_draft_is_undone_by_itself_and_redone() -> None:
    app = visited(DRAFT)
    pages = [state(app).stages]
    for key in ("duplicate", "duplicate"):
        pages.append(press(app, key).stages)
        assert state(app).invalid_composition
    label = next(b.key for b in app.button if b.label == "Remove")
    pages.append(press(app, label).stages)
    assert len(set(pages)) > 2
    back = [press(app, "undo").stages for _ in pages[1:]]
    assert back == pages[-2::-1]
    assert app.button(key="undo").disabled
    assert [press(app, "redo").stages for _ in pages[1:]] == pages[1:]


@pytest.mark.usefixtures("still")
def test_a_mend_is_undone_to_the_draft_that_it_mended() -> None:
    app = visited(DRAFT)
    before = state(app).invalid_composition
    assert before
    key = next(b.key for b in app.button if b.label == "Insert ToMap")
    assert key
    assert press(app, key).invalid_composition is None
    assert press(app, "undo").invalid_composition == before
    assert press(app, "redo").invalid_composition is None


def test_a_design_that_is_chosen_ends_the_draft_even_where_it_is_the_last_that_fitted() -> None:
    now = FIRST.follow_link(DRAFT)
    assert now.invalid_composition
    for chosen in (
        sidebar.reset_to_preset(now),
        navigation.open_design(now, now.design),
        navigation.open_composition(now, lambda design: design),
        now.choose_preset("hybrid"),
    ):
        assert (chosen.invalid_composition, chosen.design) == (None, now.design)
    small = navigation.open_composition(FIRST, begin)
    same = replace(small, invalid_composition=now.invalid_composition)
    assert navigation.open_composition(same, begin).invalid_composition is None
