"""A knob of the page, or one entry of it, and the state of the page after it is turned."""

from __future__ import annotations

from dataclasses import dataclass

from studio.workbench.page.state import State

LENGTH = -1  # in the place of an entry: the number of entries


@dataclass(frozen=True)
class Turn:
    """What a control turns: the knob of this path, or an entry of its tuple (or its `LENGTH`)."""

    knob: str
    entry: int | None = None

    def value(self, now: State) -> object:
        """The value in a state."""
        found = now.value(self.knob)
        if self.entry is None:
            return found
        return len(found) if self.entry == LENGTH else found[self.entry]

    def __call__(self, now: State, value: object) -> State:
        """The state after it is turned to a value; the nearest valid one counts."""
        if self.entry is None:
            return now.set_knob(self.knob, value)
        old = now.value(self.knob)
        if self.entry == LENGTH:
            assert isinstance(value, int)  # the length of a tuple
            return now.set_knob(self.knob, (old + old[-1:] * value)[:value])
        return now.set_knob(self.knob, (*old[: self.entry], value, *old[self.entry + 1 :]))
