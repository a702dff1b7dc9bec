"""How costs scale along an axis: neighbours of a design, and the exponent of a power law."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, get_args

from studio.analysis.trace.tree import Trace
from studio.family import Design
from studio.knobs import Axis, Knob
from studio.records import with_values

ENTRY = re.compile(r"\.\d+\.")  # in the name of a knob of one of several records
FACTORS = (1 / 4, 3 / 8, 1 / 2, 3 / 4, 3 / 2, 2, 3, 4)
MAX_CANDIDATES = 64  # values tried to find a valid one near a round one
MAX_POINTS = 7  # on a chart
MAX_TRACES = 900  # traces for one chart: half a second, at 0.6 ms each in the slowest families
MIN_R2 = 0.995  # R² above which points on log-log axes form a line
FLAT = 0.005  # an exponent below which a cost counts as constant
MAX_RMS = 0.005  # RMS distance below which they do anyway


def axes(design: Design) -> Mapping[str, Knob]:
    """The axes that a design can be scaled along, each with its first knob, which is the one swept.

    Width depends on `embed_dim` first and `mlp_ratio` second: one knob per curve. Each stage of a
    composition has axes of its own, named by their knobs.
    """
    known = [k for k in design.knobs.values() if not k.options and k.axis is not None]
    shared = [k for k in known if not ENTRY.search(k.name)]
    firsts = {k.axis: k for k in reversed(shared)}
    own = {k.name: k for k in known if ENTRY.search(k.name)}
    return {axis: firsts[axis] for axis in get_args(Axis) if axis in firsts} | own


def position(knob: Knob, value: Any) -> float:
    """Where a value lies on its axis: a tuple of depths at their sum, one of widths at
    their mean."""
    if not isinstance(value, tuple):
        return float(value)
    return float(sum(value)) if knob.axis == "depth" else statistics.fmean(value)


def affordable_points(root: Trace) -> int:
    """How many designs like this one can be traced for a chart without a noticeable pause: 3 to 7.

    Tracing time grows with the number of different traces. The design itself is traced already.
    """
    return max(3, min(MAX_POINTS, 1 + MAX_TRACES // len(_trace_ids(root, set()))))


def axis_points(design: Design, axis: str, count: int = MAX_POINTS) -> tuple[Design, ...]:
    """The design and its valid neighbours along an axis, at most `count`, in rising order.

    Only the first knob of the axis changes. Its values are all in a short range, else the field's
    round ones (2^k and 3·2^k) and the ends of the range, so that designs which differ only in this
    knob share their points. Raises KeyError for an axis that the family does not have.
    """
    knob = axes(design)[axis]
    here = position(knob, design.value(knob.name))
    places = {here: design}
    for value in _values(design, knob, count):
        if legal := _nearest(design, knob, value):
            places.setdefault(position(knob, legal.value(knob.name)), legal)
    nearest = sorted(places, key=lambda x: abs(math.log(x / here)))[:count]
    return tuple(places[x] for x in sorted(nearest))


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """The p of the power law y = c·x^p that fits best on log-log axes (least squares).

    None if there are fewer than two different x or a value is not positive, and if the points do
    not form a line: not every cost is a power law.
    """
    slope = average_slope(xs, ys)
    if slope is None:
        return None
    across, up = [math.log(x) for x in xs], [math.log(y) for y in ys]
    start = statistics.fmean(up) - slope * statistics.fmean(across)
    missed = statistics.fmean((y - start - slope * x) ** 2 for x, y in zip(across, up, strict=True))
    straight = missed <= (1 - MIN_R2) * statistics.pvariance(up)
    return slope if straight or missed <= MAX_RMS**2 else None


def average_slope(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """The exponent over the whole range, whether or not the points form a line: least squares on
    log-log axes. None for fewer than two different x, or if a value is not positive."""
    if len(set(xs)) < 2 or min(*xs, *ys) <= 0:
        return None
    return statistics.linear_regression(list(map(math.log, xs)), list(map(math.log, ys))).slope


def local_slope(xs: Sequence[float], ys: Sequence[float], x: float) -> float | None:
    """The exponent at `x`: the slope on log-log axes between its two neighbours, or at an end
    between the last point and its neighbour.

    `x` need not be a point if it has a neighbour on either side. None if there are too few points,
    `x` is outside of them, or a value is not positive.
    """
    known = dict(zip(xs, ys, strict=True))
    here = [x] if x in known else []
    lower = max((other for other in known if other < x), default=None)
    upper = min((other for other in known if other > x), default=None)
    ends = [end for end in (lower, *here, upper) if end is not None]
    if len(ends) < 2:
        return None
    (x0, y0), (x1, y1) = ((end, known[end]) for end in (ends[0], ends[-1]))
    if min(x0, y0, y1) <= 0:
        return None
    return math.log(y1 / y0) / math.log(x1 / x0)


def _trace_ids(root: Trace, seen: set[int]) -> set[int]:
    """The different traces in a tree, by identity: equal layers share theirs."""
    if id(root) not in seen:
        seen.add(id(root))
        for call in root.calls:
            _trace_ids(call.trace, seen)
    return seen


def _values(design: Design, knob: Knob, count: int) -> Iterator[Any]:
    """All of a short range; of a longer one 2^k, 3·2^k and its ends; a tuple scaled by factors."""
    value = design.value(knob.name)
    if isinstance(value, tuple):
        entry = replace(knob, default=value[0])
        for factor in FACTORS:
            yield tuple(entry.clamp(v * factor) for v in value)
        return
    ends = tuple(knob.clamp(end) for end in (knob.ge, knob.le) if end is not None)
    yield from ends
    step = int(knob.step or 1)
    if knob.kind is int and len(ends) == 2 and (ends[1] - ends[0]) // step < count:
        yield from range(*ends, step)
        return
    for k in range(-2, 24):
        for number in (2.0**k, 1.5 * 2.0**k):
            if knob.clamp(number) == number:
                yield knob.kind(number)


def _nearest(design: Design, knob: Knob, value: Any) -> Design | None:
    """The design with this value, or the nearest that the rules allow.

    The values are the knob's own, so only the rules of the config are checked: `Design.replace`
    would search for nearest values at every try.
    """
    for candidate in chain((value,), islice(knob.near(value), MAX_CANDIDATES)):
        try:
            return Design(design.family, with_values(design.config, {knob.name: candidate}))
        except ValueError:
            continue
    return None
