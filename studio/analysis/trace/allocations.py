"""What a training step allocates and frees, in order, as a tree: equal parts share one timeline.

Twelve equal blocks are one timeline that occurs twelve times. So a deep model is a small tree, and
its peak is found without walking through every allocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class MemoryEvent(NamedTuple):
    """Bytes allocated (+) or freed (-), and whether they hold the gradient of a parameter."""

    nbytes: int
    of_gradient: bool = False


class MemoryUsage(NamedTuple):
    """Live bytes beyond those at the start: `end` after the timeline, `top` at its peak.
    `end_gradients` and `top_gradients` are the gradients of parameters among them."""

    end: int = 0
    end_gradients: int = 0
    top: int = 0
    top_gradients: int = 0

    def then(self, after: MemoryUsage) -> MemoryUsage:
        """The usage of this timeline followed by another."""
        end, gradients = self.end + after.end, self.end_gradients + after.end_gradients
        if self.end + after.top <= self.top:
            return MemoryUsage(end, gradients, self.top, self.top_gradients)
        return MemoryUsage(
            end, gradients, self.end + after.top, self.end_gradients + after.top_gradients
        )


@dataclass(frozen=True, eq=False)
class Timeline:
    """Allocations and releases in order. Compared by identity, since timelines are shared."""

    entries: tuple[MemoryEvent | Timeline, ...] = ()

    @cached_property
    def usage(self) -> MemoryUsage:
        found = MemoryUsage()
        for entry in self.entries:
            found = found.then(_usage(entry))
        return found


def _usage(entry: MemoryEvent | Timeline) -> MemoryUsage:
    if isinstance(entry, Timeline):
        return entry.usage
    gradient = entry.nbytes if entry.of_gradient else 0
    return MemoryUsage(entry.nbytes, gradient, max(entry.nbytes, 0), max(gradient, 0))


Pairs = dict[tuple[Timeline, Timeline], Timeline | None]


def extrapolate(two: Timeline, three: Timeline, batch: int) -> Timeline | None:
    """The timeline at any batch size, from those at batch 2 and 3: each allocation is a constant
    plus a part per example. None if the two do not have the same steps."""
    return _extrapolate_pair(two, three, batch - 2, {})


def _extrapolate_pair(two: Timeline, three: Timeline, more: int, known: Pairs) -> Timeline | None:
    pair = two, three
    if pair not in known:
        known[pair] = None
        if len(two.entries) == len(three.entries):
            found = tuple(
                _extrapolate_entry(a, b, more, known)
                for a, b in zip(two.entries, three.entries, strict=True)
            )
            entries = tuple(entry for entry in found if entry is not None)
            known[pair] = Timeline(entries) if len(entries) == len(found) else None
    return known[pair]


def _extrapolate_entry(
    two: MemoryEvent | Timeline, three: MemoryEvent | Timeline, more: int, known: Pairs
) -> MemoryEvent | Timeline | None:
    if isinstance(two, Timeline) and isinstance(three, Timeline):
        return _extrapolate_pair(two, three, more, known)
    if (
        isinstance(two, Timeline)
        or isinstance(three, Timeline)
        or two.of_gradient != three.of_gradient
    ):
        return None
    return MemoryEvent(two.nbytes + more * (three.nbytes - two.nbytes), two.of_gradient)
