"""What each call saves for the backward pass, so that the calls of a trace add up to the trace.

A tensor saved by several calls is counted once, with the first that saves it: a ReLU its output, a
batch norm its input. What is saved between two calls (a copy in another layout, an index) is
counted with the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from studio.analysis.trace.tree import Call, Trace

Occurrence = tuple[str, int]  # the name of a call, and how many earlier calls have that name


class CallSaves(NamedTuple):
    """Bytes that a call saves, and those of them that are its inputs, by input number."""

    nbytes: int
    inputs: Mapping[int, int]


@dataclass(frozen=True)
class SavedTensors:
    """A trace in training mode, with those of its inputs that it is the first to save, and their
    bytes.

    Equal calls share a trace: what is part of a larger tensor in one call, which saves all of it,
    may be a tensor of its own in another.
    """

    trace: Trace
    inputs: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def calls(self) -> dict[Occurrence, tuple[Trace, CallSaves]]:
        """Each call's trace and what it saves, by its name."""
        found = zip(self.trace.calls, _call_saves(self.trace, self.inputs), strict=True)
        names = occurrences(self.trace.calls)
        return {name: (call.trace, saves) for name, (call, saves) in zip(names, found, strict=True)}

    def bytes_of(self, name: Occurrence) -> int:
        return self.calls[name][1].nbytes if name in self.calls else 0

    def calls_of(self, run: Sequence[Occurrence]) -> tuple[tuple[Trace, CallSaves], ...]:
        """The traces of these calls in training mode, each with what it saves."""
        return tuple(self.calls[name] for name in run if name in self.calls)

    def inside(self, name: Occurrence) -> SavedTensors | None:
        if name not in self.calls:
            return None
        trace, saves = self.calls[name]
        return SavedTensors(trace, saves.inputs)


def occurrences(calls: Sequence[Call]) -> list[Occurrence]:
    """Names for calls that are the same in an inference trace and a training trace."""
    seen: Counter[str] = Counter()
    names = []
    for call in calls:
        names.append((call.name, seen[call.name]))
        seen[call.name] += 1
    return names


def _call_saves(trace: Trace, inputs: Mapping[int, int]) -> Iterator[CallSaves]:
    for call in trace.calls:
        new = [
            (one.input, inputs.get(one.caller_input, one.nbytes))
            for one in call.first_saves
            if one.caller_input < 0 or one.caller_input in inputs
        ]
        size = call.saved_bytes + sum(size for _, size in new)
        yield CallSaves(size, {number: size for number, size in new if number >= 0})
