"""What takes time: its progress stands in its place, then the result, or once why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from streamlit.testing.v1 import AppTest

from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.pending import Pending

SUBMITTED: list[Future[str]] = []
WORK = SharedWork[str](limit=4)


def ask() -> Pending[str]:
    def start() -> Call[str]:
        SUBMITTED.append(Future())
        return Call(SUBMITTED[-1])

    return WORK("question", start)


def page() -> None:
    import streamlit as st

    from studio.app import session
    from studio.app.pending import result
    from tests.app.test_pending import ask

    session.restore()
    found = result(ask, "Writing the report …", "The report could not be written")
    if found is not None:
        st.markdown(found)
    session.mark_rendered()


@pytest.fixture(autouse=True)
def _nothing_asked(still: None) -> Iterator[None]:
    SUBMITTED.clear()
    yield
    WORK.__init__(limit=4)  # type: ignore[misc]


def shown(app: AppTest) -> tuple[list[str], list[str], int]:
    """Results, captions, and how many progress bars there are."""
    assert not app.exception
    results = [text.value for text in app.markdown]
    return results, [text.value for text in app.caption], len(app.get("progress"))


def test_a_result_takes_the_place_of_its_progress() -> None:
    app = AppTest.from_function(page).run()
    assert shown(app) == ([], [], 1)
    SUBMITTED[0].set_result("the report")
    assert shown(app.run()) == (["the report"], [], 0)
    assert len(SUBMITTED) == 1


def test_a_failure_is_shown_and_not_asked_for_again_and_again() -> None:
    app = AppTest.from_function(page).run()
    SUBMITTED[0].set_exception(RuntimeError("no process"))
    for _ in range(3):
        said = shown(app.run())
        assert said == ([], [":orange[The report could not be written: no process.]"], 0)
    assert len(SUBMITTED) == 1


def test_a_result_that_comes_between_two_looks_does_not_leave_the_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Quick(Future[str]):
        """Done at the second look."""

        looks = 0

        def done(self) -> bool:
            self.looks += 1
            return self.looks > 1

        def exception(self, timeout: float | None = None) -> None:
            return None

        def result(self, timeout: float | None = None) -> str:
            return "the report"

    monkeypatch.setattr("tests.app.test_pending.Future", Quick)
    assert shown(AppTest.from_function(page).run()) == (["the report"], [], 0)
