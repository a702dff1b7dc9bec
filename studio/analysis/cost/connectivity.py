"""Where paths of a network meet: residuals, skips, parallel branches, gates, and attention.

Read off the data flow of a trace. Two paths that an operation joins set out from a common origin;
a learned layer on one of them alone is what makes the meeting a part of the architecture and not
of the arithmetic of a layer (as the rotation of positions is).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.trace.tree import INPUT, Call, Shape, Source, Trace

Connection = Literal["residual", "skip", "branches", "gate"]
SUMS, PRODUCTS = {"add", "radd", "iadd"}, {"mul", "rmul", "imul"}
JUNCTIONS = SUMS | PRODUCTS | {"cat"}
SHAPE_ONLY = {"zeros_like", "ones_like"}  # take no values from what they are given
ATTENTION = "scaled_dot_product_attention"

CallIndex = int  # of a call in its body; the inputs of the body are numbered downwards from -1


@dataclass(frozen=True)
class AttentionShape:
    """Attention over tokens: how many heads of what size, and how many queries and keys."""

    heads: int
    head_dim: int
    queries: int
    keys: int


class Path(NamedTuple):
    """A path into a join: the place whose tensor it begins with unchanged (None where something
    was computed), all places that it hangs on, and whether it passes a learned layer further in."""

    start: CallIndex | None
    ancestors: frozenset[CallIndex]
    has_params: bool = False
    is_scaled: bool = False


class Junction(NamedTuple):
    """An operation that joins paths, and the kind of the block that it stands in."""

    kind: str
    block: str
    paths: tuple[Path, ...]


def count_connections(root: Trace) -> Counter[tuple[Connection, str]]:
    """How often paths meet in a forward pass, by the kind of meeting and the block it is in."""
    found: Counter[tuple[Connection, str]] = Counter()
    courses: dict[int, Junctions] = {}
    for trace, runs in reversed(distinct_traces(root)):  # those that are called come first
        courses[id(trace)] = course = Junctions(trace, courses)
        for join in course.joins:
            if meeting := _connection(join, trace):
                found[meeting, join.block] += runs
    return found


def count_attention(root: Trace) -> Counter[AttentionShape]:
    """Each form of scaled dot-product attention, with how often it runs in a forward pass."""
    found: Counter[AttentionShape] = Counter()
    for trace, runs in distinct_traces(root):
        if trace.kind == ATTENTION:
            found[_attention_shape(*trace.inputs[:2])] += runs
    return found


def _attention_shape(queries: Shape, keys: Shape) -> AttentionShape:
    heads = queries[-3] if len(queries) > 3 else 1
    return AttentionShape(heads, queries[-1], queries[-2], keys[-2])


@dataclass
class Junctions:
    """The joins of a body, its own and those of its parts whose paths come from outside of them."""

    trace: Trace
    courses: dict[int, Junctions]
    above: list[frozenset[CallIndex]] = field(default_factory=list)  # what each call hangs on
    joins: list[Junction] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, call in enumerate(self.trace.calls):
            feeds = [_call_index(source) for source in call.sources]
            used = [] if call.trace.kind in SHAPE_ONLY else feeds
            known = [self._reach(feed) for feed in used if feed is not None]
            self.above.append(frozenset({number}).union(*known))
            self.joins += self._own(call, feeds)
            self.joins += self._from_within(call, feeds)

    def _reach(self, place: CallIndex) -> frozenset[CallIndex]:
        return self.above[place] if place >= 0 else frozenset({place})

    def _own(self, call: Call, feeds: Sequence[CallIndex | None]) -> Iterator[Junction]:
        kind = call.trace.kind
        if kind not in JUNCTIONS or (kind in SUMS and not _same_size(call.trace)):
            return
        known = [feed for feed in feeds if feed is not None]
        ways = tuple(Path(f, self._reach(f), is_scaled=self._is_product(f)) for f in known)
        if len(ways) > 1:
            yield Junction(kind, self.trace.kind, ways)

    def _is_product(self, place: CallIndex) -> bool:
        return place >= 0 and self.trace.calls[place].trace.kind in PRODUCTS

    def _from_within(self, call: Call, feeds: Sequence[CallIndex | None]) -> Iterator[Junction]:
        """The joins of a part at which only inputs of the part meet, in terms of this body."""
        inner = self.courses.get(id(call.trace))
        for join in inner.joins if inner else ():
            closed = frozenset.intersection(*(way.ancestors for way in join.paths))
            if closed or join.kind in PRODUCTS:
                continue
            ways = tuple(self._way(way, call.trace, feeds) for way in join.paths)
            if all(way.ancestors for way in ways) and (
                join.kind == "cat" or _all_have_params(ways)
            ):
                yield join._replace(paths=ways)

    def _way(self, way: Path, part: Trace, feeds: Sequence[CallIndex | None]) -> Path:
        given = [feeds[-1 - place] for place in way.ancestors if place < 0]
        known = [feed for feed in given if feed is not None]
        raw = feeds[-1 - way.start] if way.start is not None and way.start < 0 else None
        learned = way.has_params or any(
            p >= 0 and part.calls[p].trace.params for p in way.ancestors
        )
        reach = frozenset[CallIndex]().union(*(self._reach(feed) for feed in known))
        return Path(raw, reach, learned, way.is_scaled)


def _connection(join: Junction, trace: Trace) -> Connection | None:
    """What a join is, once its paths have a common origin; None where they have none, or where no
    learned layer lies on some of them alone."""
    reaches = [way.ancestors for way in join.paths]
    common = frozenset.intersection(*reaches)
    learned = [_has_own_params(way, common, trace) for way in join.paths]
    if not common or not any(learned):
        return None
    if join.kind == "cat":
        return "skip" if _is_nested(join.paths) else "branches"
    if join.kind in PRODUCTS:
        return "gate"
    # The mean of a distribution and its noise, scaled, are no residual.
    return None if all(learned) and any(way.is_scaled for way in join.paths) else "residual"


def _has_own_params(way: Path, common: frozenset[CallIndex], trace: Trace) -> bool:
    apart = (place for place in way.ancestors - common if place >= 0)
    return way.has_params or any(trace.calls[place].trace.params for place in apart)


def _all_have_params(ways: Sequence[Path]) -> bool:
    """What is added unchanged in every part (positions, say) is an input of theirs, no residual."""
    return all(way.has_params for way in ways)


def _is_nested(ways: Sequence[Path]) -> bool:
    """Whether one of the tensors is an ancestor of another: features that went round."""
    return any(
        way.start is not None and other is not way and way.start in other.ancestors
        for way in ways
        for other in ways
    )


def _call_index(source: Source | str | None) -> CallIndex | None:
    if not isinstance(source, Source):
        return None
    return source.call if source.call != INPUT else -1 - source.output


def _same_size(trace: Trace) -> bool:
    """Whether an operation adds tensors of one size; a vector that is added to a map is a bias."""
    return len({math.prod(shape) for shape in trace.inputs}) == 1
