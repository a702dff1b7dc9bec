"""The axes of a sweep: from the text of --axis to the designs along it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

from studio.analysis import quantities
from studio.knobs import DesignError, Knob
from studio.quoting import echoed

if TYPE_CHECKING:
    from studio.family import Design

MOST_POINTS = 256


def _values(knob: Knob, text: str) -> list[str]:
    """The values in `2,4,8`, in `2:24:2` (24 included), or for a tuple in `2,2/3,4`."""
    if isinstance(knob.default, tuple):
        return text.split("/")
    if ":" in text:
        return _range(knob, text)
    given = text.split(",")
    for value in given:
        if why := quantities.unit_of(value):
            raise DesignError(f"{knob.name}={echoed(value)} {why}", knob=knob.name, value=value)
    return given


def _range(knob: Knob, text: str) -> list[str]:
    """The values of first:last:step, in decimals: 0.1:0.3:0.1 ends at 0.3. Raises DesignError."""
    first, last, *step = text.split(":")
    try:
        start, stride = Decimal(first), Decimal(":".join(step) or str(knob.step or 1))
        steps = (Decimal(last) - start) / stride
        if 0 <= steps < MOST_POINTS:
            return [str(start + i * stride) for i in range(int(steps) + 1)]
    except ArithmeticError:  # not numbers, or a step of zero
        pass
    raise DesignError(
        f"{knob.name}={echoed(text)} is not first:last:step with at most {MOST_POINTS} values, "
        f"such as {knob.name}=2:24:2",
        knob=knob.name,
        value=text,
    )


def swept_designs(
    start: Design, knobs: Sequence[Knob], wanted: Sequence[str], say: Callable[[str], None]
) -> tuple[Design, ...]:
    """The designs of a sweep, each once; the last knob changes fastest.

    A grid omits invalid points, and `say` is called with the reason. It is also called with a note
    on inserted stages. Raises DesignError if no point of a grid is valid, or for the first invalid
    value of a single axis.
    """
    from studio.zoo import with_settings

    found: dict[Design, str] = {}
    refused = defaultdict[str, list[str]](list)  # the points of each reason
    for settings in _grid_points(knobs, wanted):
        try:
            made = with_settings(start, settings)
            found[made.design] = made.note
        except DesignError as refusal:
            if len(knobs) == 1:
                raise
            refused[str(refusal)].append(", ".join(f"{k}={v}" for k, v in settings.items()))
    if not found:
        raise DesignError(f"no point of this grid is a valid design: {next(iter(refused))}")
    for note in dict.fromkeys(filter(None, found.values())):
        say(note)
    for why, (first, *more) in refused.items():
        say(f"{first} {f'and {len(more)} more are' if more else 'is'} left out: {why}")
    return tuple(found)


def _grid_points(knobs: Sequence[Knob], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
    """The settings of each point of the grid. Raises DesignError."""
    names = [knob.name for knob in knobs]
    if len(knobs) > 2 or len(set(names)) < len(names):
        raise DesignError("give one --axis, or two with different knobs")
    read = [_values(knob, text) for knob, text in zip(knobs, wanted, strict=True)]
    if math.prod(map(len, read)) > MOST_POINTS:
        raise DesignError(f"a sweep has at most {MOST_POINTS} points")
    for point in product(*read):
        yield dict(zip(names, point, strict=True))
