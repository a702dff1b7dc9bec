"""Keeps the widgets of a page and its state in step, whatever a browser reports.

With every message, Streamlit sends the values of all widgets to the server. Not all of them are
choices of the user:

- A browser that has not received a value yet starts a widget at its default and reports that. So
  the default of a widget is always the value that it shows (`arguments`).
- A slow browser reports old values of widgets that the page has changed meanwhile, and values of
  widgets that are no longer on the page.
- A fragment that polls reports all widgets too, sometimes just before the run that a click starts.

`user_changed` distinguishes a change by the user from all of these.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

Values = MutableMapping[Any, Any]  # what the browser has reported, or the page has set, by key


class WidgetSync:
    """The values that the widgets of one session were given. `is_fragment` returns whether the
    current run is that of a fragment."""

    def __init__(self, is_fragment: Callable[[], bool]) -> None:
        self._is_fragment = is_fragment
        self._drawn: dict[str, object] = {}  # in the last complete run and in aborted ones since
        self._drawing: dict[str, object] = {}  # in this run
        self._replaced: dict[str, object] = {}  # the value of a widget before the page changed it
        self._unsent: set[str] = set()  # changed by the page since the last complete run

    def begin_run(self) -> None:
        """Begin a run. Aborted runs drew widgets too, and the browser may show them."""
        self._drawn |= self._drawing
        self._drawing = {}

    def end_run(self) -> None:
        """End a run: all widgets have been drawn and are sent to the browser."""
        self._unsent = set()
        self._drawn = self._drawing

    def arguments(
        self, values: Values, key: str, shown: object, /, **default: object
    ) -> dict[str, Any]:
        """The arguments of a widget that shows a value: its `key` and its default (`value=`, say).

        If the widget has to move, its value is set in every run until one is complete, without a
        default (Streamlit warns if there are both). Otherwise the value is not set, so that a late
        run does not move a slider back while the user drags it.
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
        """Whether the user has moved this widget. To be called in its callback.

        Always False in a fragment, since these widgets start a run of the whole page. The value
        that the fragment reported is undone, so that the run of the page finds the widget moved.
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
        """Whether the value of a widget is out of date: the page has changed it meanwhile, and the
        browser reported its old value or default together with a widget that the user moved."""
        if key not in self._replaced or len(moved) == 1:
            return False
        by_user = any(other not in self._replaced for other in moved)
        return by_user or reported == self._replaced[key]
