"""The server computes the first page before anyone comes, so that its figures are there at once."""

from __future__ import annotations

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
