"""What a training step allocates and frees, in order, as a tree: equal parts of it share one tape.

A tape of a block of twelve is one tape that occurs twelve times, so a deep model is a small tree,
and its peak is found without walking through every allocation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Change(NamedTuple):
    """Bytes allocated (+) or freed (-), and whether they hold the gradient of a parameter."""

    size: int
    of_gradient: bool = False


class Level(NamedTuple):
    """Bytes alive beyond those at the start: `end` when the tape is over, `top` at its highest
    point. `end_gradients` and `top_gradients` are the gradients of parameters among them."""

    end: int = 0
    end_gradients: int = 0
    top: int = 0
    top_gradients: int = 0

    def then(self, after: Level) -> Level:
        """The level of this tape followed by another."""
        end, gradients = self.end + after.end, self.end_gradients + after.end_gradients
        if self.end + after.top <= self.top:
            return Level(end, gradients, self.top, self.top_gradients)
        return Level(end, gradients, self.end + after.top, self.end_gradients + after.top_gradients)


@dataclass(frozen=True, eq=False)
class Tape:
    """Allocations and releases in their order; compared by identity, since tapes are shared."""

    entries: tuple[Change | Tape, ...] = ()

    @cached_property
    def level(self) -> Level:
        found = Level()
        for entry in self.entries:
            found = found.then(_level(entry))
        return found


def _level(entry: Change | Tape) -> Level:
    if isinstance(entry, Tape):
        return entry.level
    gradient = entry.size * entry.of_gradient
    return Level(entry.size, gradient, max(entry.size, 0), max(gradient, 0))


def tape(changes: Iterable[int]) -> Tape:
    """A tape of plain allocations (+) and releases (-)."""
    return Tape(tuple(Change(size) for size in changes if size))


Pairs = dict[tuple[Tape, Tape], Tape | None]


def extrapolated(two: Tape, three: Tape, batch: int) -> Tape | None:
    """The tape at any batch, from those at batch 2 and 3: each allocation is a constant and a share
    per example. None where the two do not take the same steps."""
    return _extrapolated(two, three, batch - 2, {})


def _extrapolated(two: Tape, three: Tape, more: int, known: Pairs) -> Tape | None:
    pair = two, three
    if pair not in known:
        known[pair] = None
        if len(two.entries) == len(three.entries):
            found = tuple(
                _entry(a, b, more, known) for a, b in zip(two.entries, three.entries, strict=True)
            )
            entries = tuple(entry for entry in found if entry is not None)
            known[pair] = Tape(entries) if len(entries) == len(found) else None
    return known[pair]


def _entry(
    two: Change | Tape, three: Change | Tape, more: int, known: Pairs
) -> Change | Tape | None:
    if isinstance(two, Tape) and isinstance(three, Tape):
        return _extrapolated(two, three, more, known)
    if isinstance(two, Tape) or isinstance(three, Tape) or two.of_gradient != three.of_gradient:
        return None
    return Change(two.size + more * (three.size - two.size), two.of_gradient)
