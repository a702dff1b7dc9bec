"""Where paths of a network join: residual connections, skips, parallel branches, gates, attention.

Read off the data flow of a trace. Two paths that an operation joins share an origin. The junction
is part of the architecture, and not of the arithmetic of one layer (as in rotary embeddings), if a
layer with parameters lies on one of the paths only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.trace.tree import ATTENTION, INPUT, Call, Shape, Source, Trace

Connection = Literal["residual", "skip", "branches", "gate"]
SUMS, PRODUCTS = {"add", "radd", "iadd"}, {"mul", "rmul", "imul"}
JUNCTIONS = SUMS | PRODUCTS | {"cat"}
SHAPE_ONLY = {"zeros_like", "ones_like"}  # use the shape of their input, not its values

CallIndex = int  # of a call in its trace; the inputs of the trace are -1, -2, ...
Ancestors = frozenset[CallIndex]  # all calls and inputs that a tensor depends on


@dataclass(frozen=True)
class AttentionShape:
    """Number and size of the heads, and number of queries and keys."""

    heads: int
    head_dim: int
    queries: int
    keys: int


class Path(NamedTuple):
    """A path into a junction.

    `start` is the call whose output it passes on unchanged (None if something was computed),
    `ancestors` are all calls it depends on. `has_params`: it passes a layer with parameters deeper
    inside a block. `is_scaled`: it ends in a product.
    """

    start: CallIndex | None
    ancestors: Ancestors
    has_params: bool = False
    is_scaled: bool = False


class Junction(NamedTuple):
    """An operation that joins paths, and the class of the block that contains it."""

    kind: str
    block: str
    paths: tuple[Path, ...]


def count_connections(root: Trace) -> Counter[tuple[Connection, str]]:
    """How often paths join in a forward pass, by kind of connection and class of the block."""
    found: Counter[tuple[Connection, str]] = Counter()
    known: dict[int, tuple[Junction, ...]] = {}
    for trace, runs in reversed(distinct_traces(root)):  # callees first
        known[id(trace)] = _junctions(trace, known)
        for junction in known[id(trace)]:
            if connection := _connection(junction, trace):
                found[connection, junction.block] += runs
    return found


def count_attention(root: Trace) -> Counter[AttentionShape]:
    """How often scaled dot-product attention runs in a forward pass, by its shape."""
    found: Counter[AttentionShape] = Counter()
    for trace, runs in distinct_traces(root):
        if trace.kind == ATTENTION:
            found[_attention_shape(*trace.inputs[:2])] += runs
    return found


def _attention_shape(queries: Shape, keys: Shape) -> AttentionShape:
    heads = queries[-3] if len(queries) > 3 else 1
    return AttentionShape(heads, queries[-1], queries[-2], keys[-2])


def _junctions(trace: Trace, known: Mapping[int, tuple[Junction, ...]]) -> tuple[Junction, ...]:
    """The junctions of a trace, and those in its callees whose paths start outside the callee."""
    ancestors = _ancestors(trace)
    found: list[Junction] = []
    for call in trace.calls:
        starts = [_call_index(source) for source in call.sources]
        found += _own_junction(trace, call, starts, ancestors)
        for junction in known.get(id(call.trace), ()):
            found += _from_callee(junction, call, starts, ancestors)
    return tuple(found)


def _ancestors(trace: Trace) -> dict[CallIndex, Ancestors]:
    """The ancestors of each call (itself included) and of each input of a trace."""
    found: dict[CallIndex, Ancestors] = {
        -1 - i: frozenset({-1 - i}) for i in range(len(trace.inputs))
    }
    for number, call in enumerate(trace.calls):
        used = () if call.trace.kind in SHAPE_ONLY else map(_call_index, call.sources)
        known = (found[index] for index in used if index is not None)
        found[number] = frozenset({number}).union(*known)
    return found


def _own_junction(
    trace: Trace,
    call: Call,
    starts: Sequence[CallIndex | None],
    ancestors: Mapping[CallIndex, Ancestors],
) -> Iterator[Junction]:
    kind = call.trace.kind
    if kind not in JUNCTIONS or (kind in SUMS and not _same_size(call.trace)):
        return
    known = [start for start in starts if start is not None]
    if len(known) > 1:
        paths = (Path(s, ancestors[s], is_scaled=_is_product(trace, s)) for s in known)
        yield Junction(kind, trace.kind, tuple(paths))


def _is_product(trace: Trace, index: CallIndex) -> bool:
    return index >= 0 and trace.calls[index].trace.kind in PRODUCTS


def _from_callee(
    junction: Junction,
    call: Call,
    starts: Sequence[CallIndex | None],
    ancestors: Mapping[CallIndex, Ancestors],
) -> Iterator[Junction]:
    """A junction in a callee at which only inputs of the callee meet, seen from the caller."""
    if junction.kind in PRODUCTS or _shared(junction.paths):
        return
    paths = tuple(_outside(path, call.trace, starts, ancestors) for path in junction.paths)
    # What every layer adds unchanged (positions, say) is an input of the layers, no residual.
    is_learned = junction.kind == "cat" or all(path.has_params for path in paths)
    if is_learned and all(path.ancestors for path in paths):
        yield junction._replace(paths=paths)


def _outside(
    path: Path,
    callee: Trace,
    starts: Sequence[CallIndex | None],
    ancestors: Mapping[CallIndex, Ancestors],
) -> Path:
    """A path in a callee as a path in the caller."""
    inputs = (starts[-1 - index] for index in path.ancestors if index < 0)
    known = (ancestors[start] for start in inputs if start is not None)
    start = starts[-1 - path.start] if path.start is not None and path.start < 0 else None
    return Path(
        start,
        Ancestors().union(*known),
        path.has_params or _has_params(path.ancestors, callee),
        path.is_scaled,
    )


def _connection(junction: Junction, trace: Trace) -> Connection | None:
    """The kind of connection; None if its paths have no common origin, or if no layer with
    parameters lies on some of them only."""
    shared = _shared(junction.paths)
    learned = [p.has_params or _has_params(p.ancestors - shared, trace) for p in junction.paths]
    if not shared or not any(learned):
        return None
    if junction.kind == "cat":
        return "skip" if _is_nested(junction.paths) else "branches"
    if junction.kind in PRODUCTS:
        return "gate"
    # The mean of a distribution plus its scaled noise is not a residual connection.
    is_sample = all(learned) and any(path.is_scaled for path in junction.paths)
    return None if is_sample else "residual"


def _shared(paths: Sequence[Path]) -> Ancestors:
    return Ancestors.intersection(*(path.ancestors for path in paths))


def _has_params(calls: Ancestors, trace: Trace) -> bool:
    return any(index >= 0 and trace.calls[index].trace.params for index in calls)


def _is_nested(paths: Sequence[Path]) -> bool:
    """Whether one of the tensors is an ancestor of another: it skipped the layers between."""
    return any(
        path.start is not None and other is not path and path.start in other.ancestors
        for path in paths
        for other in paths
    )


def _call_index(source: Source | str | None) -> CallIndex | None:
    if not isinstance(source, Source):
        return None
    return source.call if source.call != INPUT else -1 - source.output


def _same_size(trace: Trace) -> bool:
    """Whether a sum adds tensors of one size; adding a vector to a map is a bias."""
    return len({math.prod(shape) for shape in trace.inputs}) == 1
