"""The work of a forward pass: FLOPs, bytes moved, and operations started.

Read off the trace. Equal layers share a trace, so a model of 96 equal blocks is walked once, and
each operation counts as often as it runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from studio.analysis.trace.tree import Shape, Trace

VALUE_BYTES = 4  # of float32; also assumed for token ids, a tiny part


class OpCost(NamedTuple):
    """FLOPs (two per multiply-accumulate), bytes read and written, weights among them, and
    operations started."""

    flops: int
    moved_bytes: int
    weight_bytes: int
    operations: int


def total_cost(root: Trace) -> OpCost:
    """The cost of all operations of a traced model together."""
    parts = [tuple(runs * part for part in op_cost(op)) for op, runs in operations(root)]
    return OpCost(*map(sum, zip(*parts, strict=True))) if parts else OpCost(0, 0, 0, 0)


def operations(root: Trace) -> tuple[tuple[Trace, int], ...]:
    """The different operations of a traced model, each with how often it runs.

    An operation is a torch layer or a function between layers; a recurrent layer is one, however
    many steps it takes. Modules that pass their input through start none, and neither do views,
    casts and copies, which are not in the trace.
    """
    return tuple((trace, runs) for trace, runs in distinct_traces(root) if _is_operation(trace))


def distinct_traces(root: Trace) -> tuple[tuple[Trace, int], ...]:
    """The different traces in a model, callers first, each with how often it runs."""
    runs = Counter({id(root): 1})
    order = tuple(_callees_first(root, set()))[::-1]
    for trace in order:
        for call in trace.calls:
            runs[id(call.trace)] += runs[id(trace)]
    return tuple((trace, runs[id(trace)]) for trace in order)


def op_cost(trace: Trace) -> OpCost:
    """An operation reads its inputs and weights and writes its outputs, once each; a lookup reads
    only as much of its table as it writes."""
    written = _values(trace.outputs)
    weights = _values(shape for _, shape in (*trace.weights, *trace.buffers))
    if trace.kind == "Embedding":
        weights = min(weights, written)
    moved = _values(trace.inputs) + weights + written
    return OpCost(2 * trace.macs, VALUE_BYTES * moved, VALUE_BYTES * weights, 1)


def _callees_first(trace: Trace, seen: set[int]) -> Iterator[Trace]:
    """Every trace in a tree once, after its callees."""
    if id(trace) not in seen:
        seen.add(id(trace))
        for call in trace.calls:
            yield from _callees_first(call.trace, seen)
        yield trace


def _is_operation(trace: Trace) -> bool:
    return not trace.calls and not trace.is_passthrough


def _values(shapes: Iterable[Shape]) -> int:
    return sum(map(math.prod, shapes))
