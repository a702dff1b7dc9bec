"""Nothing is measured while a page loads, and not much later either."""

from __future__ import annotations

from studio.workbench.arrivals import LOAD_S, LONGEST_S, POLL_S, Arrivals


class Clock:
    """Time that passes while somebody sleeps. `visit_s` is how often a visitor comes."""

    def __init__(self, visit_s: float = float("inf")) -> None:
        self.now_s, self.visit_s = 1000.0, visit_s
        self.arrivals = Arrivals(lambda: self.now_s, self.sleep)

    def sleep(self, seconds: float) -> None:
        before = self.now_s // self.visit_s
        self.now_s += seconds
        if self.now_s // self.visit_s > before:
            self.arrivals.note()

    def waited(self) -> float:
        start_s = self.now_s
        self.arrivals.wait()
        return self.now_s - start_s


def test_nobody_waits_where_nobody_came() -> None:
    assert Clock().waited() == 0


def test_a_measurement_waits_until_the_page_is_there() -> None:
    clock = Clock()
    clock.arrivals.note()
    assert LOAD_S <= clock.waited() <= LOAD_S + 2 * POLL_S
    assert clock.waited() == 0


def test_it_does_not_wait_for_ever_where_visitor_follows_visitor() -> None:
    clock = Clock(visit_s=1.0)
    clock.arrivals.note()
    assert LONGEST_S <= clock.waited() <= LONGEST_S + 2 * POLL_S
