"""The rows of a knob panel as values: what the browser shows, and what a move of one means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from studio.app.knob_panel.labels import Label
from studio.app.knob_panel.tracks import Track
from studio.workbench.page.state import State
from studio.workbench.page.turn import Turn

Kind = Literal["range", "number", "choice", "list", "toggle", "group"]


@dataclass(frozen=True)
class Mark:
    """A value on the track of a slider, or one for each entry of a tuple, and whose it is."""

    value: Any
    owner: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A control and its texts. `knob` is the path of the knob that it sets, `entry` the entry of
    its tuple (or `turn.LENGTH`). `options` are values with their texts. A group has rows of its
    own."""

    id: str
    knob: str
    kind: Kind
    label: Label
    value: Any
    name: str = ""
    help: str = ""
    note: str = ""
    track: Track | None = None
    options: tuple[tuple[Any, str], ...] = ()
    marks: tuple[Mark, ...] = ()
    entry: int | None = None
    rows: tuple[Row, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What the browser is sent."""
        given = {
            "id": self.id,
            "kind": self.kind,
            "words": self.label.words,
            "symbol": self.label.symbol,
            "value": self.value,
            "name": self.name,
            "about": self.help,
            "note": self.note,
            "track": asdict(self.track) if self.track else None,
            "options": self.options,
            "marks": [asdict(mark) for mark in self.marks],
            "rows": [row.to_json() for row in self.rows],
        }
        always = ("id", "kind", "words", "value")
        return {name: value for name, value in given.items() if value or name in always}


@dataclass(frozen=True)
class Section:
    """Rows under a title. A folded one is opened by the reader."""

    title: str
    rows: tuple[Row, ...]
    folded: bool = False

    def to_json(self) -> dict[str, Any]:
        rows = [row.to_json() for row in self.rows]
        return {"title": self.title, "folded": self.folded, "rows": rows}


def controls(sections: Iterable[Section]) -> Mapping[str, Row]:
    """All rows that can be moved, by their ids."""
    return {row.id: row for section in sections for row in _walk(section.rows)}


def _walk(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if row.kind == "group":
            yield from _walk(row.rows)
        else:
            yield row


def is_value(row: Row, value: object) -> bool:
    """Whether a value from a browser is of the row's kind. Its range is the knob's to check."""
    match row.kind:
        case "toggle":
            return isinstance(value, bool)
        case "choice" | "list":
            return any(type(value) is type(known) and value == known for known, _ in row.options)
        case _:
            if isinstance(value, float):
                return math.isfinite(value)
            return isinstance(value, int) and not isinstance(value, bool)


def turned(now: State, row: Row, value: object) -> State:
    """The state after a move of a row. What is no value of it changes nothing."""
    if not is_value(row, value):
        return now
    return Turn(row.knob, row.entry)(now, value)
