"""A move of a knob is applied once: late, repeated and lost messages turn nothing back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.workbench.page.knob_moves import MOST_MOVES, REMEMBERED, Applied, Report, read_report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


class Browser:
    """A panel in a browser: it sends all moves that it has not heard to be applied."""

    def __init__(self, name: str = "a") -> None:
        self.name, self.serial = name, 0
        self.waiting: list[dict[str, Any]] = []

    def move(self, row: str, value: object) -> Report:
        self.serial += 1
        self.waiting.append({"serial": self.serial, "row": row, "value": value})
        return read_report({"panel": self.name, "moves": list(self.waiting)})

    def hear(self, applied: Applied) -> None:
        last = applied.serials.get(self.name, 0)
        self.waiting = [one for one in self.waiting if one["serial"] > last]


class Server:
    """The knobs of a page, and what has been applied to them."""

    def __init__(self) -> None:
        self.applied, self.knobs = Applied(), dict[str, object]()
        self.calls: list[tuple[str, object]] = []

    def take(self, report: Report) -> None:
        for move in self.applied.fresh(report):
            self.knobs[move.row] = move.value
            self.calls.append((move.row, move.value))
        self.applied = self.applied.with_report(report)


def test_a_repeated_message_is_applied_once() -> None:
    browser, server = Browser(), Server()
    report = browser.move("depth", 3)
    server.take(report)
    server.take(report)
    assert server.calls == [("depth", 3)]


def test_a_late_message_turns_nothing_back() -> None:
    browser, server = Browser(), Server()
    late = browser.move("depth", 3)
    server.take(browser.move("depth", 4))
    server.take(late)
    assert server.knobs == {"depth": 4}


def test_a_lost_message_comes_with_the_next() -> None:
    browser, server = Browser(), Server()
    browser.move("depth", 3)  # lost
    server.take(browser.move("width", 5))
    assert server.calls == [("depth", 3), ("width", 5)]
    browser.hear(server.applied)
    assert browser.waiting == []


def test_what_the_server_has_not_applied_is_kept() -> None:
    browser, server = Browser(), Server()
    server.take(browser.move("depth", 3))
    browser.move("depth", 4)  # under way
    browser.hear(server.applied)
    assert [one["value"] for one in browser.waiting] == [4]


def test_moves_are_applied_in_the_order_of_the_hand_whatever_that_of_the_message() -> None:
    moves = [{"serial": n, "row": "depth", "value": n} for n in (3, 1, 2, 2)]
    server = Server()
    server.take(read_report({"panel": "a", "moves": moves}))
    assert [value for _, value in server.calls] == [1, 2, 3]


def test_a_page_that_is_loaded_anew_begins_again() -> None:
    old, new, server = Browser("old"), Browser("new"), Server()
    for depth in range(5):
        last = old.move("depth", depth)
    server.take(last)
    server.take(new.move("depth", 9))
    server.take(last)  # what the page before has told is told again
    assert server.knobs == {"depth": 9}
    server.take(new.move("depth", 8))
    assert server.applied.serials == {"old": 5, "new": 2}


def test_few_panels_are_remembered() -> None:
    applied = Applied()
    for n in range(REMEMBERED + 5):
        applied = applied.with_report(Browser(str(n)).move("depth", 1))
    assert len(applied.serials) == REMEMBERED
    assert str(REMEMBERED + 4) in applied.serials


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from("slrd"))))
def test_whatever_becomes_of_messages_the_hand_is_followed(
    turns: list[tuple[str, int, str]],
) -> None:
    """Messages are (s)ent, (l)ost, (r)epeated, or (d)elayed until after the next."""
    browser, server = Browser(), Server()
    wanted: dict[str, object] = {}
    delayed: list[Report] = []
    for row, value, fate in [*turns, ("end", 1, "s")]:
        report = browser.move(row, value)
        wanted[row] = value
        for one in {"s": [report], "l": [], "r": [report, report], "d": []}[fate]:
            server.take(one)
        for one in delayed:
            server.take(one)
        delayed = [report] if fate == "d" else []
        browser.hear(server.applied)
    assert server.knobs == wanted
    assert len(server.calls) == len(turns) + 1


@given(JSON, JSON)
def test_what_is_no_report_is_left_out(anything: object, value: object) -> None:
    given = [anything, {"panel": anything}, {"panel": "a", "moves": anything}]
    given += [{"panel": "a", "moves": [anything, {"serial": anything, "row": "b", "value": value}]}]
    for one in given:
        report = read_report(one)
        json.dumps(dict(Applied().with_report(report).serials))
        assert all(move.serial > 0 for move in Applied().fresh(report))


@pytest.mark.parametrize("serial", [0, -1, True, "1", 1.5, None])
def test_a_serial_number_is_a_positive_number(serial: object) -> None:
    moves = [{"serial": serial, "row": "depth", "value": 1}]
    assert read_report({"panel": "a", "moves": moves}).moves == ()


def test_a_message_of_many_moves_is_cut() -> None:
    moves = [{"serial": n + 1, "row": "depth", "value": n} for n in range(MOST_MOVES + 9)]
    assert len(read_report({"panel": "a", "moves": moves}).moves) == MOST_MOVES
