"""The sizing process is started once, when it is first asked, and serves sessions in turn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest

from studio.workbench.jobs.sizing_process import InPlace, SizingProcess


class Gate(InPlace):
    """Begins its first call once the test says so, and remembers what it was asked."""

    def __init__(self) -> None:
        self.open, self.asked = Event(), list[Any]()

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, limit_s: float = 1.0
    ) -> Future[Any]:
        self.open.wait()
        self.asked += arguments
        return super().submit(function, *arguments)


def test_it_is_started_once_when_it_is_first_asked() -> None:
    started: list[InPlace] = []

    def start() -> InPlace:
        started.append(InPlace())
        return started[-1]

    sizing = SizingProcess(start)
    assert not started
    assert [sizing(name).submit(len, name).result() for name in ("one", "other")] == [3, 5]
    assert len(started) == 1


def test_sessions_take_turns() -> None:
    process = Gate()
    sizing = SizingProcess(lambda: process)
    one, other = sizing("one"), sizing("other")
    calls = [one.submit(len, text) for text in ("1", "11", "111")] + [other.submit(len, "2")]
    process.open.set()
    assert [call.result() for call in calls] == [1, 2, 3, 1]
    assert process.asked.index("2") < process.asked.index("111")


def test_a_call_in_place_that_fails_is_the_failure_of_its_future() -> None:
    call = InPlace().submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        call.result()
