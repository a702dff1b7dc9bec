"""Keeps the widgets of a page and its state in step, whatever a browser reports.

Streamlit tells the server the values of all widgets with every message. Not all of them were chosen
by a person:

- A browser that has not heard of a value yet starts a widget at its default and reports that.
  So the default of a widget is always the value that it shows (`arguments`).
- A slow browser reports old values of widgets that the page has set to others meanwhile, and values
  of widgets that are no longer on the page.
- A fragment that polls reports all widgets too, sometimes just before the run that a click starts.

`user_changed` tells a person's change from all of these.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

Values = MutableMapping[Any, Any]  # what the browser has reported, or the page has set, by key


class WidgetSync:
    """One session's record of what its widgets were given. `is_fragment` tells whether the present
    run is one of a fragment."""

    def __init__(self, is_fragment: Callable[[], bool]) -> None:
        self._is_fragment = is_fragment
        self._drawn: dict[str, object] = {}  # in the last complete run and in those cut short since
        self._drawing: dict[str, object] = {}  # in this run
        self._replaced: dict[str, object] = {}  # what a widget had before the page set another
        self._unsent: set[str] = set()  # set by the page in a run that has not been completed yet

    def begin_run(self) -> None:
        """Runs that were cut short drew widgets too, and the browser may show them."""
        self._drawn |= self._drawing
        self._drawing = {}

    def end_run(self) -> None:
        """All widgets have been drawn, and the browser hears of it."""
        self._unsent = set()
        self._drawn = self._drawing

    def arguments(
        self, values: Values, key: str, shown: object, /, **default: object
    ) -> dict[str, Any]:
        """The `key` of a widget that is to show a value, and its default (`value=` or the like).

        Where the widget has to move, its value is set, in every run until one is completed, and has
        no default then (Streamlit warns of both). Otherwise it is not set, so that a run that comes
        late does not pull a slider back from under the hand.
        """
        self._drawing[key] = shown
        before = values.get(key, shown)
        if before != shown:
            self._replaced[key] = before
        if key in self._unsent or before != shown:
            self._unsent.add(key)
            values[key] = shown
            return {"key": key}
        return {"key": key, **default}

    def user_changed(self, values: Values, key: str) -> bool:
        """Whether a person has moved this widget. For its callback.

        In a fragment nobody did: a widget that asks here starts a run of the whole page. What the
        fragment reported is undone, so that the widget's own run finds it moved.
        """
        drawn = self._drawn | self._drawing
        if self._is_fragment():
            if key in drawn:
                values[key] = drawn[key]
                self._unsent.add(key)
            return False
        reported = values[key]
        moved = [other for other, shown in drawn.items() if values.get(other, shown) != shown]
        if key not in drawn or self._is_stale(key, reported, moved):
            return False
        self._replaced.pop(key, None)
        return True

    def _is_stale(self, key: str, reported: object, moved: list[str]) -> bool:
        """Whether a widget that the page has set was reported along with one that a person moved:
        with its old value, or where it started before it heard of the new one."""
        if key not in self._replaced or len(moved) == 1:
            return False
        by_a_person = any(other not in self._replaced for other in moved)
        return by_a_person or reported == self._replaced[key]
