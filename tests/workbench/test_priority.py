"""Whose turn it is on a server with many readers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread

import pytest

from studio.workbench.page_runs import PageRuns
from studio.workbench.priority import LATER_S, LONGEST_S, LONGEST_WORK_S, Priority
from tests.process.processes import wait_until


class Runs(PageRuns):
    """Runs that are of a fragment or not, and whose readers have moved on or not."""

    def __init__(self, *, fragment: bool = False, outdated: bool = False) -> None:
        self.fragment, self.outdated = fragment, outdated

    def is_fragment(self) -> bool:
        return self.fragment

    def stop_if_outdated(self) -> None:
        if self.outdated:
            raise InterruptedError


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Page:
    """A thread that is in one part of the page until it is told to go on."""

    def __init__(self, part: Callable[[], AbstractContextManager[None]]) -> None:
        self.inside, self.go_on = Event(), Event()
        self._thread = Thread(target=self._draw, args=(part,), daemon=True)
        self._thread.start()

    def _draw(self, part: Callable[[], AbstractContextManager[None]]) -> None:
        with part():
            self.inside.set()
            self.go_on.wait(20)

    def finish(self) -> None:
        self.go_on.set()
        self._thread.join(20)


def in_line(order: Priority, count: int) -> None:
    wait_until(lambda: order.waiting == count)


def test_charts_wait_for_figures_and_figures_for_nobody():
    order = Priority(PageRuns())
    figures = [Page(order.urgent) for _ in range(2)]
    assert all(page.inside.wait(20) for page in figures)
    charts = Page(order.background)
    assert not charts.inside.wait(0.2)
    figures[0].finish()
    assert not charts.inside.wait(0.2)
    figures[1].finish()
    assert charts.inside.wait(20)
    late = Page(order.urgent)
    assert late.inside.wait(20)
    for page in (late, charts):
        page.finish()


def test_charts_are_drawn_one_page_at_a_time():
    order = Priority(PageRuns())
    pages = [Page(order.background) for _ in range(3)]
    for left in (3, 2, 1):
        wait_until(lambda: any(page.inside.is_set() for page in pages))
        (drawn,) = [page for page in pages if page.inside.is_set()]
        assert len(pages) == left
        pages.remove(drawn)
        drawn.finish()


def test_a_part_within_a_part_waits_for_nothing():
    order = Priority(PageRuns())
    with order.background(), order.background():
        pass
    with order.background():
        pass


def test_figures_that_never_cease_hold_charts_back_for_a_while_only():
    clock = Clock()
    order = Priority(PageRuns(), clock)
    with order.urgent():
        charts = Page(order.background)
        in_line(order, 1)
        clock.now = 0.9 * LONGEST_S
        assert not charts.inside.wait(0.2)
        clock.now = LONGEST_S
        assert charts.inside.wait(20)
        charts.finish()


def test_a_page_that_is_left_behind_waits_no_longer():
    order = Priority(Runs(outdated=True))
    with order.urgent(), pytest.raises(InterruptedError), order.background():
        pass
    with order.background():
        pass


def test_it_rests_once_the_last_has_left():
    clock = Clock()
    order = Priority(PageRuns(), clock)
    with order.background(), order.urgent():
        clock.now = 3.0
        assert order.rested_s == 0
    assert order.rested_s == 0
    clock.now = 5.0
    assert order.rested_s == 2.0


def test_only_a_press_outlasts_that_its_reader_moves_on() -> None:
    order = Priority(Runs(outdated=True))
    drawn = Page(order.urgent)
    assert drawn.inside.wait(20)
    pressed = Page(lambda: order.background(clicked=True))
    with pytest.raises(InterruptedError), order.background():
        pass
    drawn.finish()
    assert pressed.inside.wait(20)
    pressed.finish()


def test_who_waits_longest_is_next_but_looks_let_others_go_first() -> None:
    runs, pages = Runs(), []
    order = Priority(runs)
    drawn = Page(order.background)
    assert drawn.inside.wait(20)
    for look in (True, False, False):
        runs.fragment = look
        pages.append(Page(order.background))
        in_line(order, len(pages))
    look, first, second = pages
    drawn.finish()
    for page, others in ((first, (second, look)), (second, (look,)), (look, ())):
        assert page.inside.wait(20)
        assert not any(other.inside.is_set() for other in others)
        page.finish()


def test_a_look_is_passed_for_a_while_only() -> None:
    runs, clock = Runs(fragment=True), Clock()
    order = Priority(runs, clock)
    drawn = Page(order.background)
    assert drawn.inside.wait(20)
    look = Page(order.background)
    in_line(order, 1)
    runs.fragment, clock.now = False, LATER_S + 1.0
    late = Page(order.background)
    in_line(order, 2)
    drawn.finish()
    assert look.inside.wait(20)
    assert not late.inside.is_set()
    for page in (look, late):
        page.finish()


def test_who_is_at_work_without_end_is_not_waited_for() -> None:
    clock = Clock()
    order = Priority(PageRuns(), clock)
    stuck = Page(order.background)
    assert stuck.inside.wait(20)
    other = Page(order.background)
    assert not other.inside.wait(0.2)
    clock.now = LONGEST_WORK_S + 1.0
    assert other.inside.wait(20)
    stuck.finish()  # at last: the other one's turn is its own all the same
    third = Page(order.background)
    assert not third.inside.wait(0.2)
    other.finish()
    assert third.inside.wait(20)
    third.finish()
