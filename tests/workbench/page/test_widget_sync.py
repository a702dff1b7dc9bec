"""What a person did with a widget is told from what a browser reports by itself."""

from __future__ import annotations

from typing import Any

from studio.workbench.page.widget_sync import WidgetSync


class Page:
    """A page with widgets `a` and `b`, and a browser that reports their values."""

    def __init__(self) -> None:
        self.fragment = False
        self.sync = WidgetSync(lambda: self.fragment)
        self.values: dict[str, Any] = {}

    def run(self, *, complete: bool = True, **shown: object) -> dict[str, dict[str, Any]]:
        """A run that draws these widgets; what each was given."""
        self.sync.begin_run()
        given = {
            key: self.sync.arguments(self.values, key, value, value=value)
            for key, value in shown.items()
        }
        if complete:
            self.sync.end_run()
        return given

    def report(self, key: str, **values: object) -> bool:
        """The browser reports values and names the widget that was moved."""
        self.values |= values
        return self.sync.user_changed(self.values, key)


def test_a_widget_starts_at_what_it_shows() -> None:
    assert Page().run(a=3)["a"] == {"key": "a", "value": 3}


def test_a_moved_widget_was_moved_by_a_person() -> None:
    page = Page()
    page.run(a=3)
    assert page.report("a", a=4)


def test_a_widget_that_has_to_move_is_set_until_a_run_is_completed() -> None:
    page = Page()
    page.run(a=3)
    page.report("a", a=9)
    assert page.run(complete=False, a=8)["a"] == {"key": "a"}  # it landed on another value
    assert page.values["a"] == 8
    assert page.run(a=8)["a"] == {"key": "a"}
    assert page.run(a=8)["a"] == {"key": "a", "value": 8}


def test_a_widget_that_is_not_on_the_page_was_not_moved() -> None:
    page = Page()
    page.run(a=3)
    page.run(b=1)
    assert not page.report("a", a=4, b=1)


def test_the_old_value_of_a_widget_that_was_set_is_no_move() -> None:
    """A late browser reports it along with what a person has moved."""
    page = Page()
    page.run(a=3, b=1)
    page.report("a", a=9, b=1)
    page.run(a=8, b=1)
    page.values |= {"a": 9, "b": 2}
    assert not page.sync.user_changed(page.values, "a")
    assert page.sync.user_changed(page.values, "b")


def test_a_widget_that_started_elsewhere_before_it_heard_of_its_value_is_no_move() -> None:
    """A number field without a default starts at its least value."""
    page = Page()
    page.run(a=3072, b=12)
    page.values |= {"a": 3072, "b": 12}
    page.run(a=768, b=12)  # another preset
    page.values |= {"a": 192, "b": 11}
    assert not page.sync.user_changed(page.values, "a")
    assert page.sync.user_changed(page.values, "b")


def test_runs_that_were_cut_short_have_drawn_widgets_too() -> None:
    page = Page()
    page.run(a=3)
    page.run(complete=False, b=1)
    page.run(complete=False)
    assert page.report("b", b=2)


def test_a_fragment_that_polls_moves_nothing_and_hides_no_move() -> None:
    page = Page()
    page.run(a=6)
    page.fragment = True
    assert not page.report("a", a=9)
    assert page.values["a"] == 6
    page.fragment = False
    assert page.report("a", a=9)


def test_a_widget_that_was_set_in_a_fragment_has_no_default_too() -> None:
    """Streamlit warns in the log of a widget with both."""
    page = Page()
    page.run(a=6)
    page.fragment = True
    page.report("a", a=9)
    assert page.sync.arguments(page.values, "a", 6, value=6) == {"key": "a"}
    page.sync.end_run()
    assert page.sync.arguments(page.values, "a", 6, value=6) == {"key": "a", "value": 6}
