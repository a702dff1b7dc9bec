"""The work of a design: what a device has to compute, to move and to start in one forward pass.

Read off the tree of layers. Equal layers share their body, so a tree of 96 equal blocks is walked
once, and each of its operations counts as often as it runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from studio.analysis.trace.tree import Body, Shape

VALUE_BYTES = 4  # float32; token numbers, a tiny part, are taken for it too


class Work(NamedTuple):
    """FLOPs (two a multiply-accumulate), bytes read and written, weights among them, and operations
    started."""

    flops: int
    moved_bytes: int
    weight_bytes: int
    operations: int


def work(root: Body) -> Work:
    """What all operations of a traced model take together."""
    parts = [tuple(runs * part for part in of_operation(op)) for op, runs in operations(root)]
    return Work(*map(sum, zip(*parts, strict=True))) if parts else Work(0, 0, 0, 0)


def operations(root: Body) -> tuple[tuple[Body, int], ...]:
    """The different operations of a traced model, each with how often it runs.

    An operation is a layer of torch's own or a function between layers; a recurrent layer is one,
    however many steps it takes. What hands its input on starts none, and neither do views, casts
    and copies, which a trace leaves out.
    """
    return tuple((body, runs) for body, runs in bodies(root) if _is_operation(body))


def bodies(root: Body) -> tuple[tuple[Body, int], ...]:
    """The different bodies of a traced model, each before what it calls, with how often it runs."""
    runs = Counter({id(root): 1})
    order = tuple(_callees_first(root, set()))[::-1]
    for body in order:
        for call in body.calls:
            runs[id(call.body)] += runs[id(body)]
    return tuple((body, runs[id(body)]) for body in order)


def of_operation(body: Body) -> Work:
    """An operation reads its inputs and its weights, and writes its outputs, once each; a look-up
    reads no more of its table than it writes."""
    written = _values(body.outputs)
    weights = _values(shape for _, shape in (*body.weights, *body.buffers))
    if body.kind == "Embedding":
        weights = min(weights, written)
    moved = _values(body.inputs) + weights + written
    return Work(2 * body.macs, VALUE_BYTES * moved, VALUE_BYTES * weights, 1)


def _callees_first(body: Body, seen: set[int]) -> Iterator[Body]:
    """Every body of a tree once, after all that it calls."""
    if id(body) not in seen:
        seen.add(id(body))
        for call in body.calls:
            yield from _callees_first(call.body, seen)
        yield body


def _is_operation(body: Body) -> bool:
    return not body.calls and not body.transparent


def _values(shapes: Iterable[Shape]) -> int:
    return sum(map(math.prod, shapes))
