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

from studio.analysis.cost.op_costs import bodies
from studio.analysis.trace.tree import INPUT, Body, Call, Shape, Source

Meeting = Literal["residual", "skip", "branches", "gate"]
SUMS, PRODUCTS = {"add", "radd", "iadd"}, {"mul", "rmul", "imul"}
JOINS = SUMS | PRODUCTS | {"cat"}
SHAPE_ALONE = {"zeros_like", "ones_like"}  # take no values from what they are given
ATTENTION = "scaled_dot_product_attention"

Place = int  # of a call in its body; the inputs of the body are numbered downwards from -1


@dataclass(frozen=True)
class Attention:
    """Attention over tokens: how many heads of what size, and how many queries and keys."""

    heads: int
    head_dim: int
    queries: int
    keys: int


class Way(NamedTuple):
    """A path into a join: the place whose tensor it begins with unchanged (None where something
    was computed), all places that it hangs on, and whether it passes a learned layer further in."""

    feed: Place | None
    reach: frozenset[Place]
    learned: bool = False
    scaled: bool = False


class Join(NamedTuple):
    """An operation that joins paths, and the kind of the block that it stands in."""

    kind: str
    block: str
    ways: tuple[Way, ...]


def meetings(root: Body) -> Counter[tuple[Meeting, str]]:
    """How often paths meet in a forward pass, by the kind of meeting and the block it is in."""
    found: Counter[tuple[Meeting, str]] = Counter()
    courses: dict[int, Course] = {}
    for body, runs in reversed(bodies(root)):  # those that are called come first
        courses[id(body)] = course = Course(body, courses)
        for join in course.joins:
            if meeting := _meeting(join, body):
                found[meeting, join.block] += runs
    return found


def attentions(root: Body) -> Counter[Attention]:
    """Each form of scaled dot-product attention, with how often it runs in a forward pass."""
    found: Counter[Attention] = Counter()
    for body, runs in bodies(root):
        if body.kind == ATTENTION:
            found[_attention(*body.inputs[:2])] += runs
    return found


def _attention(queries: Shape, keys: Shape) -> Attention:
    heads = queries[-3] if len(queries) > 3 else 1
    return Attention(heads, queries[-1], queries[-2], keys[-2])


@dataclass
class Course:
    """The joins of a body, its own and those of its parts whose paths come from outside of them."""

    body: Body
    courses: dict[int, Course]
    above: list[frozenset[Place]] = field(default_factory=list)  # what each call hangs on
    joins: list[Join] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, call in enumerate(self.body.calls):
            feeds = [_place(source) for source in call.sources]
            used = [] if call.body.kind in SHAPE_ALONE else feeds
            known = [self._reach(feed) for feed in used if feed is not None]
            self.above.append(frozenset({number}).union(*known))
            self.joins += self._own(call, feeds)
            self.joins += self._from_within(call, feeds)

    def _reach(self, place: Place) -> frozenset[Place]:
        return self.above[place] if place >= 0 else frozenset({place})

    def _own(self, call: Call, feeds: Sequence[Place | None]) -> Iterator[Join]:
        kind = call.body.kind
        if kind not in JOINS or (kind in SUMS and not _alike(call.body)):
            return
        known = [feed for feed in feeds if feed is not None]
        ways = tuple(Way(f, self._reach(f), scaled=self._is_product(f)) for f in known)
        if len(ways) > 1:
            yield Join(kind, self.body.kind, ways)

    def _is_product(self, place: Place) -> bool:
        return place >= 0 and self.body.calls[place].body.kind in PRODUCTS

    def _from_within(self, call: Call, feeds: Sequence[Place | None]) -> Iterator[Join]:
        """The joins of a part at which only inputs of the part meet, in terms of this body."""
        inner = self.courses.get(id(call.body))
        for join in inner.joins if inner else ():
            closed = frozenset.intersection(*(way.reach for way in join.ways))
            if closed or join.kind in PRODUCTS:
                continue
            ways = tuple(self._way(way, call.body, feeds) for way in join.ways)
            if all(way.reach for way in ways) and (join.kind == "cat" or _are_learned(ways)):
                yield join._replace(ways=ways)

    def _way(self, way: Way, part: Body, feeds: Sequence[Place | None]) -> Way:
        given = [feeds[-1 - place] for place in way.reach if place < 0]
        known = [feed for feed in given if feed is not None]
        raw = feeds[-1 - way.feed] if way.feed is not None and way.feed < 0 else None
        learned = way.learned or any(p >= 0 and part.calls[p].body.params for p in way.reach)
        reach = frozenset[Place]().union(*(self._reach(feed) for feed in known))
        return Way(raw, reach, learned, way.scaled)


def _meeting(join: Join, body: Body) -> Meeting | None:
    """What a join is, once its paths have a common origin; None where they have none, or where no
    learned layer lies on some of them alone."""
    reaches = [way.reach for way in join.ways]
    common = frozenset.intersection(*reaches)
    learned = [_is_learned(way, common, body) for way in join.ways]
    if not common or not any(learned):
        return None
    if join.kind == "cat":
        return "skip" if _is_nested(join.ways) else "branches"
    if join.kind in PRODUCTS:
        return "gate"
    # The mean of a distribution and its noise, scaled, are no residual.
    return None if all(learned) and any(way.scaled for way in join.ways) else "residual"


def _is_learned(way: Way, common: frozenset[Place], body: Body) -> bool:
    apart = (place for place in way.reach - common if place >= 0)
    return way.learned or any(body.calls[place].body.params for place in apart)


def _are_learned(ways: Sequence[Way]) -> bool:
    """What is added unchanged in every part (positions, say) is an input of theirs, no residual."""
    return all(way.learned for way in ways)


def _is_nested(ways: Sequence[Way]) -> bool:
    """Whether one of the tensors is an ancestor of another: features that went round."""
    return any(
        way.feed is not None and other is not way and way.feed in other.reach
        for way in ways
        for other in ways
    )


def _place(source: Source | str | None) -> Place | None:
    if not isinstance(source, Source):
        return None
    return source.call if source.call != INPUT else -1 - source.output


def _alike(body: Body) -> bool:
    """Whether an operation adds tensors of one size; a vector that is added to a map is a bias."""
    return len({math.prod(shape) for shape in body.inputs}) == 1
