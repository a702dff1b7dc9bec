"""What each call keeps for the backward pass, so that the calls of a body add up to the body.

A tensor that several calls keep is counted once: with the call that made it, if that keeps it too
(a ReLU its output), else with the first that keeps it (a batch normalisation its input).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from studio.analysis.body import INPUT, Body, Call, Source

Occurrence = tuple[str, int]  # the name of a call, and how many of that name are before it


class Kept(NamedTuple):
    """Bytes that a call keeps, and which of its inputs are among them."""

    size: int
    inputs: frozenset[int]


NOTHING = Kept(0, frozenset())


@dataclass(frozen=True)
class Ledger:
    """A body traced in training mode; `inputs` are those of its own that are counted inside it."""

    body: Body
    inputs: frozenset[int] = frozenset()

    @cached_property
    def calls(self) -> dict[Occurrence, tuple[Body, Kept]]:
        """Each call's body and what it keeps, by its name."""
        found = zip(self.body.calls, _kept(self.body, self.inputs), strict=True)
        names = occurrences(self.body.calls)
        return {name: (call.body, kept) for name, (call, kept) in zip(names, found, strict=True)}

    def kept(self, name: Occurrence) -> int:
        return self.calls[name][1].size if name in self.calls else 0

    def of(self, run: Sequence[Occurrence]) -> tuple[tuple[Body, Kept], ...]:
        """The bodies of calls in training mode, each with what it keeps."""
        return tuple(self.calls[name] for name in run if name in self.calls)

    def inside(self, name: Occurrence) -> Ledger | None:
        if name not in self.calls:
            return None
        body, kept = self.calls[name]
        return Ledger(body, kept.inputs)


def occurrences(calls: Sequence[Call]) -> list[Occurrence]:
    """Names for calls that are the same in an inference and in a training trace."""
    seen: Counter[str] = Counter()
    names = []
    for call in calls:
        names.append((call.name, seen[call.name]))
        seen[call.name] += 1
    return names


def _kept(body: Body, inputs: frozenset[int]) -> Iterator[Kept]:
    counted: set[Source] = set()
    for call in body.calls:
        first: dict[int, int] = {}
        for i, size in enumerate(call.body.saved_inputs):
            source = _maker(body, call.sources[i])
            if size and source and source not in counted and _is_new(body, inputs, source):
                counted.add(source)
                first[i] = size
        yield Kept(call.body.saved_bytes + sum(first.values()), frozenset(first))


def _maker(body: Body, source: Source | str | None) -> Source | None:
    """Where a tensor really comes from, past all that only hands it on; None for a parameter."""
    while isinstance(source, Source) and source.call != INPUT:
        call = body.calls[source.call]
        if not call.body.transparent:
            break
        source = call.sources[0]
    return source if isinstance(source, Source) else None


def _is_new(body: Body, inputs: frozenset[int], source: Source) -> bool:
    """Whether nobody has counted it where it was made."""
    if source.call == INPUT:
        return source.output in inputs
    return not body.calls[source.call].body.saved_outputs[source.output]
