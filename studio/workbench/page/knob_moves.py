"""The moves of a knob panel: what a browser reports is applied once, however often it is sent.

A browser numbers the moves of a panel, and reports all that the server has not acknowledged. So a
late or repeated message turns nothing back, and what was lost comes with the next. Each time that
the browser draws a panel anew (a reload, another view), its numbers begin again, under another
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST_MOVES = 200  # of one message
LONGEST = 200  # characters of a name
REMEMBERED = 8  # of the latest panels, of which a late message may come


@dataclass(frozen=True)
class Move:
    """A knob was set to a value; `row` is the row of the panel. Nothing of it is checked."""

    serial: int
    row: str
    value: object


@dataclass(frozen=True)
class Report:
    """What a browser reports of a panel: its name, and its moves."""

    panel: str = ""
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Applied:
    """The serial number of the last move that was applied, by the name of the panel, the latest
    panel last. The browser is told of it."""

    serials: Mapping[str, int] = field(default_factory=dict)

    def fresh(self, report: Report) -> tuple[Move, ...]:
        """The moves that have not been applied, in their order."""
        known = self.serials.get(report.panel, 0)
        new = {move.serial: move for move in report.moves if move.serial > known}
        return tuple(new[serial] for serial in sorted(new))

    def with_report(self, report: Report) -> Applied:
        """With these moves applied."""
        if not (fresh := self.fresh(report)):
            return self
        others = {panel: n for panel, n in self.serials.items() if panel != report.panel}
        latest = [*others.items(), (report.panel, fresh[-1].serial)][-REMEMBERED:]
        return Applied(dict(latest))


def read_report(given: object) -> Report:
    """A report of a browser. What is none is left out."""
    if not isinstance(given, Mapping):
        return Report()
    panel, moves = given.get("panel"), given.get("moves")
    if not isinstance(panel, str) or not 0 < len(panel) <= LONGEST:
        return Report()
    if not isinstance(moves, Sequence) or isinstance(moves, str):
        return Report(panel)
    return Report(panel, tuple(move for one in moves[:MOST_MOVES] if (move := _read_move(one))))


def _read_move(given: object) -> Move | None:
    if not isinstance(given, Mapping):
        return None
    serial, row = given.get("serial"), given.get("row")
    if not isinstance(serial, int) or isinstance(serial, bool) or serial <= 0:
        return None
    if not isinstance(row, str) or len(row) > LONGEST:
        return None
    return Move(serial, row, given.get("value"))
