"""The receptive field: how far around a place of the input one value of a layer can see.

Found backwards. One position of a layer's output needs a row of positions of its input: a window of
k positions at stride s that is laid n times in a row needs (n - 1) s + (k - 1) d + 1 of them
(Araujo et al. 2019, https://distill.pub/2019/computing-receptive-fields/, equation 1). Where ways
meet, the longer row counts. What looks at all positions at once (attention, a pool over the map, a
linear layer on a flattened map) is named: from there on a value sees all of the input.

Positions are followed over views: a map of 14 × 14 may be a row of 196 tokens meanwhile. Where they
cannot be (windows cut out of a map), there is no answer. Padding does not count, as in the paper:
a field may be larger than the input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd

from studio.analysis.cost.connectivity import ATTENTION
from studio.analysis.cost.op_costs import bodies
from studio.analysis.graph.layer_graph import Use
from studio.analysis.trace.tree import INPUT, Body, Call, Shape, Source, Window

Grid = tuple[int, ...]  # of positions: (H, W) of a map, (N,) of a sequence
How = Literal["each", "window", "transposed", "resized", "all", "lost"]
LOST: Grid = ()  # of positions that can no longer be told
TABLES = ("Embedding", "embedding")
WORDS = {
    ATTENTION: "attention",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "recurrence"),
    **dict.fromkeys(("mean", "sum"), "a mean over all"),
    **dict.fromkeys(("max", "amax"), "a maximum over all"),
    "adaptive_avg_pool2d": "a pool over all",
    "AdaptiveAvgPool2d": "a pool over all",
    "Linear": "a linear layer over all",
}


@dataclass(frozen=True)
class Field:
    """What one value of a layer sees of an input with a grid of positions.

    `size` is the row of positions that it sees through windows alone, None where there is no such
    way; `all_by` what lets it see all of them at once, empty where nothing does.
    """

    input: int
    grid: Grid
    size: tuple[int, ...] | None
    all_by: str = ""


class Need(NamedTuple):
    """What is needed of a tensor: a row of positions along each axis, or all by some layer. It is
    `lost` where positions can no longer be told."""

    size: tuple[int, ...] | None = None
    all_by: str = ""
    lost: bool = False

    def __or__(self, other: Need) -> Need:
        sizes = [size for size in (self.size, other.size) if size is not None]
        alike = len({len(size) for size in sizes}) == 1
        longest = tuple(map(max, *sizes)) if alike and len(sizes) > 1 else next(iter(sizes), None)
        lost = self.lost or other.lost or (bool(sizes) and not alike)
        return Need(longest, self.all_by or other.all_by, lost)


NOTHING = Need()


class Rule(NamedTuple):
    """How a layer looks at one of its inputs. `cause` names what sees all positions at once; a
    change of resolution reads so many `taps` for a value."""

    how: How
    given: Grid | None = None
    made: Grid | None = None
    window: Window | None = None
    cause: str = ""
    taps: int = 1

    def need(self, need: Need) -> Need:
        if self.how == "lost":
            return Need(lost=True, all_by=need.all_by)
        if self.how == "all":
            return Need(all_by=self.cause or need.all_by)
        size = None if need.size is None or self.given is None else self._row(need.size)
        return Need(size, self.cause or need.all_by, need.lost)

    def _row(self, size: tuple[int, ...]) -> tuple[int, ...]:
        given, made = self.given or (), self.made or ()
        if len(size) != len(given):  # a map that was laid in one row meanwhile
            return (1,) * len(given) if set(size) == {1} else given
        if self.how == "resized":
            each = zip(size, given, made, strict=True)
            return tuple(-(-(n - 1) * g // m) + self.taps for n, g, m in each)
        if self.window:
            sides = zip(size, *self.window, strict=True)
            if self.how == "transposed":
                return tuple((n - 1 + (k - 1) * d) // s + 1 for n, k, s, d in sides)
            return tuple((n - 1) * s + (k - 1) * d + 1 for n, k, s, d in sides)
        return tuple(min(n, g) if g == 1 else n for n, g in zip(size, given, strict=True))


@dataclass
class Flow:
    """A body with the grids of all that flows in it: of its calls the rule of each input, the grids
    of each output, and what flows within."""

    body: Body
    given: tuple[Grid | None, ...]
    rules: list[tuple[Rule | None, ...]]
    made: list[tuple[Grid | None, ...]]
    inner: list[Flow | None]

    def origin(self, source: Source | str | None) -> Grid | None:
        if not isinstance(source, Source):
            return None
        grids = self.given if source.call == INPUT else self.made[source.call]
        return grids[source.output]

    def shape(self, source: Source | str | None, used: Shape) -> Shape:
        """The shape that a tensor had where it was made."""
        if not isinstance(source, Source):
            return used
        made = source.call != INPUT
        shapes = self.body.calls[source.call].body.outputs if made else self.body.inputs
        return shapes[source.output]


def flow(body: Body, given: tuple[Grid | None, ...]) -> Flow:
    found = Flow(body, given, [], [], [])
    for call in body.calls:
        grids = tuple(found.origin(source) for source in call.sources)
        if call.body.calls:
            inner = flow(call.body, grids)
            found.inner.append(inner)
            found.rules.append(())
            found.made.append(_handed(inner))
        else:
            rules, made = _leaf(found, call, grids)
            found.inner.append(None)
            found.rules.append(rules)
            found.made.append(made)
    return found


def _handed(inner: Flow) -> tuple[Grid | None, ...]:
    """The grids of what a body hands out, of which it may have cut off a margin."""
    body = inner.body
    found: list[Grid | None] = []
    for source, out in zip(body.returns, body.outputs, strict=True):
        grid = inner.origin(source)
        made = inner.shape(source, out)
        found.append(_cut(grid, made, out) or grid if grid and not _placed(out, grid) else grid)
    return tuple(found)


def _leaf(
    found: Flow, call: Call, grids: tuple[Grid | None, ...]
) -> tuple[tuple[Rule | None, ...], tuple[Grid | None, ...]]:
    body = call.body
    ways = zip(call.sources, body.inputs, strict=True)
    whole = [found.shape(source, used) for source, used in ways]
    rules = tuple(
        None if grid is None else _rule(body, i, grid, whole[i]) for i, grid in enumerate(grids)
    )
    known = [rule.made for rule in rules if rule and rule.made is not None]
    largest = LOST if LOST in known else max(known, key=math.prod, default=None)
    return rules, (largest,) * len(body.outputs)


def _rule(body: Body, i: int, grid: Grid, made: Shape) -> Rule:
    """How a layer looks at its input number i, which has positions on this grid, or had them where
    it was made, in another shape."""
    used, out = body.inputs[i], body.outputs[0] if body.outputs else ()
    if grid == LOST:
        return Rule("lost", grid, LOST)
    if body.transparent:
        return _handed_on(used, out, grid)
    if math.prod(grid) == 1 and not body.window:
        return Rule("each", grid, grid)
    if not _placed(used, grid):
        return _folded(body, i, grid, made)
    if _slides(body):
        return _slid(body, used, out, grid)
    if (body.kind == ATTENTION and i in (1, 2)) or issubclass(body.cls or object, nn.RNNBase):
        return Rule("all", grid, _kept(out, grid), cause=_word(body))
    if not _placed(out, grid):
        return _merged(body, used, out, grid)
    over_all = issubclass(body.cls or object, nn.GroupNorm) and math.prod(grid) > 1
    return Rule("each", grid, grid, cause=_word(body) if over_all else "")


def _handed_on(used: Shape, out: Shape, grid: Grid) -> Rule:
    """A view, or a part of one."""
    whole = math.prod(out) == math.prod(used)
    return Rule("each", grid, grid if whole else _cut(grid, used, out) or _ones(grid))


def _slides(body: Body) -> bool:
    return bool(body.window) or body.kind in ("interpolate", "Upsample") or "daptive" in body.kind


def _slid(body: Body, used: Shape, out: Shape, grid: Grid) -> Rule:
    """A filter, a pool or a change of resolution, on a map that lies in the last axes."""
    k = len(body.window.kernel) if body.window else len(grid)
    if used[-k:] != grid:
        return Rule("lost", grid, LOST)
    after = out[-k:]
    if body.window:
        transposed = issubclass(body.cls or object, _ConvTransposeNd)
        return Rule("transposed" if transposed else "window", grid, after, body.window)
    if "daptive" in body.kind:
        if after == grid:
            return Rule("each", grid, grid)
        return Rule("all", grid, after, cause=_word(body))
    nearest = "nearest" in body.settings or "mode" not in body.settings
    return Rule("resized", grid, after, taps=1 if nearest else 2)


def _merged(body: Body, used: Shape, out: Shape, grid: Grid) -> Rule:
    """Positions go in and are not to be seen in what comes out: it is laid out anew, or a layer has
    made one of them all."""
    if body.kind == "cat":
        longer = next((n for n, m in zip(out, used, strict=True) if n != m), 0)
        return Rule("each", grid, (longer,))
    if not body.is_module and math.prod(out) == math.prod(used):
        return Rule("each", grid, grid)
    known = body.kind in WORDS
    return Rule("all", grid, _ones(grid), cause=_word(body)) if known else Rule("lost", grid, LOST)


def _folded(body: Body, i: int, grid: Grid, made: Shape) -> Rule:
    """Positions are not to be seen in the shape: a part was taken, or all lie in one row."""
    used = body.inputs[i]
    if math.prod(used) < math.prod(made):
        cut = _cut(grid, made, used)
        return _rule(body, i, cut, used) if cut else Rule("each", grid, _ones(grid))
    row = math.prod(used[1:-1]) == 1 and len(used) > 1 and body.kind in WORDS
    return Rule("all", grid, _ones(grid), cause=_word(body)) if row else Rule("lost", grid, LOST)


def _cut(grid: Grid, made: Shape, used: Shape) -> Grid | None:
    """The positions that are left of a map or a row whose margin was cut off."""
    axis = _axis(made, grid)
    return used[axis : axis + len(grid)] if axis and len(used) == len(made) else None


def _placed(shape: Shape, grid: Grid) -> bool:
    """Whether the positions can be seen in a shape: axis by axis, or in one row."""
    return bool(_axis(shape, grid)) or math.prod(grid) in shape[1:]


def _axis(shape: Shape, grid: Grid) -> int:
    """The first axis of the positions; 0 where they are not there axis by axis."""
    found = (i for i in range(1, len(shape)) if shape[i : i + len(grid)] == grid)
    return next(found, 0)


def _kept(out: Shape, grid: Grid) -> Grid:
    return grid if _placed(out, grid) else _ones(grid)


def _ones(grid: Grid) -> Grid:
    return (1,) * len(grid)


def _word(body: Body) -> str:
    return WORDS.get(body.kind, body.kind)


def fields(name: str, root: Body, uses: Mapping[str, Use]) -> tuple[Field, ...]:
    """The receptive fields of a node, one for each input of the network that has positions and that
    it sees; of equal neighbours those of the last. Empty where there is none, or none to be told.
    """
    place = _place(name, root, uses)
    if not place:
        return ()
    given = tuple(_positions(shape, root) for shape in root.inputs)
    steps = [flow(root, given)]
    for at in place[:-1]:
        inner = steps[-1].inner[at]
        if inner is None:
            return ()
        steps.append(inner)
    needs = _into(steps[-1], place[-1], [_one(grid) for grid in steps[-1].made[place[-1]]])
    for step, at in zip(reversed(steps), reversed(place), strict=True):
        needs = _back(step, at, needs)
    told = [
        Field(i, grid, need.size, need.all_by)
        for i, (grid, need) in enumerate(zip(given, needs, strict=True))
        if grid and (need.all_by or (need.size and not need.lost))
    ]
    return tuple(told)


def _one(grid: Grid | None) -> Need:
    """One position of a layer; of what has none left, the one there is."""
    return NOTHING if grid is None else Need((1,) * len(grid), lost=grid == LOST)


def _back(step: Flow, at: int, needs: Sequence[Need]) -> list[Need]:
    """What a body needs of its inputs so that its call number `at` gets what that needs."""
    wanted: dict[Source, Need] = {}
    _ask(wanted, step.body.calls[at], needs)
    for number in range(at - 1, -1, -1):
        call = step.body.calls[number]
        asked = [wanted.get(Source(number, i), NOTHING) for i in range(len(call.body.outputs))]
        if any(need != NOTHING for need in asked):
            _ask(wanted, call, _into(step, number, asked))
    return [wanted.get(Source(INPUT, i), NOTHING) for i in range(len(step.body.inputs))]


def _ask(wanted: dict[Source, Need], call: Call, needs: Sequence[Need]) -> None:
    for source, need in zip(call.sources, needs, strict=True):
        if isinstance(source, Source):
            wanted[source] = wanted.get(source, NOTHING) | need


def _into(step: Flow, number: int, asked: Sequence[Need]) -> list[Need]:
    """What a call needs of its inputs, given what is needed of its outputs."""
    inner = step.inner[number]
    if inner is None:
        whole = NOTHING
        for need in asked:
            whole |= need
        return [rule.need(whole) if rule else NOTHING for rule in step.rules[number]]
    wanted = [NOTHING] * len(inner.body.inputs)
    for source, need in zip(inner.body.returns, asked, strict=True):
        if need != NOTHING and isinstance(source, Source):
            wanted = [
                one | other for one, other in zip(wanted, _from(inner, source, need), strict=True)
            ]
    return wanted


def _from(step: Flow, source: Source, need: Need) -> list[Need]:
    """What a body needs of its inputs so that one of its tensors has what is needed of it."""
    if source.call == INPUT:
        return [need if i == source.output else NOTHING for i in range(len(step.body.inputs))]
    outputs = step.body.calls[source.call].body.outputs
    asked = [need if i == source.output else NOTHING for i in range(len(outputs))]
    return _back(step, source.call, _into(step, source.call, asked))


def _place(name: str, root: Body, uses: Mapping[str, Use]) -> tuple[int, ...]:
    """The numbers of the calls that lead to a node, from the root on; empty where it is no call."""
    use = uses.get(name)
    if use is None:
        return ()
    first = next(i for i, call in enumerate(use.within.calls) if call is use.call)
    last = first + use.repeat - 1
    if use.within is root:
        return (last,)
    outer, _, number = name.rpartition("#")
    around = (outer if outer and number.isdigit() else name).removesuffix(use.call.name)
    above = _place(around.removesuffix("."), root, uses)
    return (*above, last) if above else ()


def _positions(shape: Shape, root: Body) -> Grid | None:
    """The positions of an input: of images their pixels, of a sequence its steps or tokens."""
    grid: Grid
    if len(shape) == 4:
        grid = shape[2:]
    elif len(shape) == 3:
        grid = (max(shape[1:]),)
    elif len(shape) == 2 and any(b.kind in TABLES and shape in b.inputs for b, _ in bodies(root)):
        grid = shape[1:]
    else:
        return None
    return grid if math.prod(grid) > 1 else None
