"""The work of a design: what a device has to compute, to move and to start in one forward pass.

Read off the tree of layers. Equal layers share their body, so a tree of 96 equal blocks is walked
once, and each of its operations counts as often as it runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from studio.analysis.trace.tree import Shape, Trace

VALUE_BYTES = 4  # float32; token numbers, a tiny part, are taken for it too


class OpCost(NamedTuple):
    """FLOPs (two a multiply-accumulate), bytes read and written, weights among them, and operations
    started."""

    flops: int
    moved_bytes: int
    weight_bytes: int
    operations: int


def total_cost(root: Trace) -> OpCost:
    """What all operations of a traced model take together."""
    parts = [tuple(runs * part for part in op_cost(op)) for op, runs in operations(root)]
    return OpCost(*map(sum, zip(*parts, strict=True))) if parts else OpCost(0, 0, 0, 0)


def operations(root: Trace) -> tuple[tuple[Trace, int], ...]:
    """The different operations of a traced model, each with how often it runs.

    An operation is a layer of torch's own or a function between layers; a recurrent layer is one,
    however many steps it takes. What hands its input on starts none, and neither do views, casts
    and copies, which a trace leaves out.
    """
    return tuple((trace, runs) for trace, runs in distinct_traces(root) if _is_operation(trace))


def distinct_traces(root: Trace) -> tuple[tuple[Trace, int], ...]:
    """The different bodies of a traced model, each before what it calls, with how often it runs."""
    runs = Counter({id(root): 1})
    order = tuple(_callees_first(root, set()))[::-1]
    for trace in order:
        for call in trace.calls:
            runs[id(call.trace)] += runs[id(trace)]
    return tuple((trace, runs[id(trace)]) for trace in order)


def op_cost(trace: Trace) -> OpCost:
    """An operation reads its inputs and its weights, and writes its outputs, once each; a look-up
    reads no more of its table than it writes."""
    written = _values(trace.outputs)
    weights = _values(shape for _, shape in (*trace.weights, *trace.buffers))
    if trace.kind == "Embedding":
        weights = min(weights, written)
    moved = _values(trace.inputs) + weights + written
    return OpCost(2 * trace.macs, VALUE_BYTES * moved, VALUE_BYTES * weights, 1)


def _callees_first(trace: Trace, seen: set[int]) -> Iterator[Trace]:
    """Every body of a tree once, after all that it calls."""
    if id(trace) not in seen:
        seen.add(id(trace))
        for call in trace.calls:
            yield from _callees_first(call.trace, seen)
        yield trace


def _is_operation(trace: Trace) -> bool:
    return not trace.calls and not trace.is_passthrough


def _values(shapes: Iterable[Shape]) -> int:
    return sum(map(math.prod, shapes))
