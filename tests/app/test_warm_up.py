"""The server draws the first page before anyone comes, so that its figures are there at once."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import pytest
from streamlit.testing.v1 import AppTest

from studio.analysis.cost import profiler
from studio.app.warm_up import warm_up
from tests.app.conftest import MAIN


def test_the_first_visitor_finds_the_first_page_computed(
    still: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(*_: Any) -> NoReturn:
        raise AssertionError("computed again")

    profiler.clear_caches()
    warm_up()
    monkeypatch.setattr(profiler, "trace", compute)
    monkeypatch.setattr(profiler, "trace_training", compute)
    assert not AppTest.from_file(str(MAIN), default_timeout=60).run().exception


def test_a_page_that_cannot_be_drawn_does_not_end_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("too slow")

    monkeypatch.setattr(AppTest, "run", fail)
    with caplog.at_level(logging.WARNING):
        warm_up()
    assert "the first page could not be drawn: too slow" in caplog.text
