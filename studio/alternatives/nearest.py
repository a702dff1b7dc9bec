"""The nearest valid settings to invalid ones.

A best-first search over a few knobs at a time. It is independent of families: a function of the
caller returns what is wrong with some settings, and which values of which knobs may fix it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import chain, count, islice
from typing import Any

from studio.knobs import DesignError, Knob

TRIES = 300  # settings to try: below 0.1 s for compositions of a dozen stages
CHANGE = 24  # cost of changing one more knob, in steps of a value
UNASKED = 12  # extra cost of a knob that the user did not set
FIRST, NEAR, FAR = 6, 48, 24  # values to try: adjacent ones, near ones, powers of two
WAYS, ALIKE = 3, 2  # most suggestions, and most that change the same knobs


@dataclass(frozen=True)
class Obstacle:
    """Why some settings are invalid, and the values that may fix them, by knob, nearest first.

    `kind` is equal for obstacles that have the same fixes, whatever their numbers.
    """

    kind: str
    remedies: Callable[[], Mapping[str, Iterable[Any]]]


@dataclass(order=True)
class _Branch:
    cost: int
    number: int  # breaks ties of the cost: the earlier one first
    changes: dict[str, Any] = field(compare=False)
    name: str = field(compare=False)
    values: Iterator[Any] = field(compare=False)
    obstacle: Obstacle = field(compare=False)


def suggestions(
    tried: Callable[[Mapping[str, Any]], Obstacle | None], asked: Callable[[str], bool]
) -> tuple[dict[str, Any], ...]:
    """The nearest changes that make the settings valid, those of the fewest knobs first.

    `tried` returns what is wrong with the settings after some changes. `asked` returns whether the
    user set a knob: such knobs are changed first. Empty if nothing is found in TRIES tries.
    """
    found: list[dict[str, Any]] = []
    most = 0
    for cost, changes in islice(_search(tried, asked), TRIES):
        if found and cost > most:
            break
        if changes is None or (found and len(changes) > len(found[0])):
            continue
        several = len(changes) > 1
        if sum(one.keys() == changes.keys() for one in found) < ALIKE - several:
            most = most or cost + CHANGE - 1
            found.append(changes)
        if len(found) == WAYS - several:
            break
    return tuple(found)


def _search(
    tried: Callable[[Mapping[str, Any]], Obstacle | None], asked: Callable[[str], bool]
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The cost of each try, and its changes if they are valid."""
    branches: list[_Branch] = []
    number = count()
    seen: set[tuple[frozenset[str], str]] = set()

    def branch(changes: dict[str, Any], cost: int, obstacle: Obstacle) -> None:
        key = (frozenset(changes), obstacle.kind)
        for name, values in obstacle.remedies().items() if key not in seen else ():
            if name not in changes:
                price = cost + CHANGE + (0 if asked(name) else UNASKED)
                made = _Branch(price, next(number), changes, name, unique(values), obstacle)
                heappush(branches, made)
        seen.add(key)  # only the nearest value that leads to this obstacle is followed

    branch({}, 0, tried({}) or Obstacle("", dict))
    while branches:
        here = heappop(branches)
        for value in islice(here.values, 1):
            changes = {**here.changes, here.name: value}
            obstacle = tried(changes)
            yield here.cost, None if obstacle else changes
            heappush(branches, replace(here, cost=here.cost + 1, number=next(number)))
            if obstacle and obstacle.kind != here.obstacle.kind:
                branch(changes, here.cost, obstacle)


def candidates(knob: Knob, here: Any, hints: Iterable[Any] = ()) -> Iterator[Any]:
    """Values of a knob to try instead of `here`, roughly nearest first.

    `hints` are likely values, such as the numbers in the message of a rule.
    """
    near = _beside(knob, here)
    first = [*islice(near, FIRST), *(value for value in hints if _takes(knob, value))]
    if knob.kind is int and not knob.options:
        first += [value for value in (here - 1, here + 1) if _takes(knob, value)]
        first.sort(key=lambda value: abs(value - here))
    order = chain(first, islice(near, NEAR), _far(knob))
    yield from (value for value in unique(order) if value != here)


def unique(values: Iterable[Any]) -> Iterator[Any]:
    """Each value once."""
    seen: list[Any] = []
    for value in values:
        if value not in seen:
            seen.append(value)
            yield value


def _beside(knob: Knob, here: Any) -> Iterator[Any]:
    if isinstance(here, tuple) and isinstance(knob.default, tuple) and not knob.options:
        return _beside_tuple(knob, here)
    if isinstance(here, float) and not knob.options:
        step = knob.step or 1.0
        moved = (round(here + sign * k * step, 6) for k in range(1, 9) for sign in (-1, 1))
        return (value for value in moved if _takes(knob, value))
    return knob.near(here)


def _beside_tuple(knob: Knob, here: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The tuple with one entry changed or left out."""
    if not all(isinstance(entry, int) for entry in here):
        return
    entry = replace(knob, default=0, lengths=())
    for i, value in enumerate(here):
        for moved in islice(entry.near(value), NEAR):
            yield (*here[:i], moved, *here[i + 1 :])
    for i in range(len(here)):
        if len(here) - 1 in knob.lengths:
            yield (*here[:i], *here[i + 1 :])


def _far(knob: Knob) -> Iterator[Any]:
    if knob.kind is int and not knob.options:
        yield from (knob.clamp(2**k) for k in range(FAR))


def _takes(knob: Knob, value: Any) -> bool:
    with suppress(DesignError):
        return bool(knob.read(value) == value)
    return False
