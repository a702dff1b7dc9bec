"""Receptive fields: how much of the input one value of a layer depends on.

Computed backwards. To compute n adjacent positions of its output, a window of size k, stride s and
dilation d needs (n - 1) s + (k - 1) d + 1 adjacent positions of its input (Araujo et al. 2019,
https://distill.pub/2019/computing-receptive-fields/, equation 1). Where paths join, the larger size
counts. A layer that uses all positions at once (attention, global pooling, a linear layer on a
flattened map) is named; values after it depend on the whole input.

Positions are followed through views: a 14 × 14 map may become a sequence of 196 tokens. Where they
cannot be followed (windows cut out of a map), there is no answer. Padding is ignored, as in the
paper, so a field may be larger than the input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.graph.layer_graph import NodeUse
from studio.analysis.torch_private import TransposedConvolution
from studio.analysis.trace.tree import (
    ATTENTION,
    INPUT,
    RECURRENT,
    Call,
    Shape,
    Source,
    Trace,
    Window,
)

Grid = tuple[int, ...]  # of positions: (H, W) of a map, (N,) of a sequence
View = Literal["each", "window", "transposed", "resized", "all", "lost"]
LOST: Grid = ()  # positions can no longer be followed
TABLES = ("Embedding", "embedding")
CAUSES = {
    ATTENTION: "attention",
    **dict.fromkeys(RECURRENT, "recurrence"),
    **dict.fromkeys(("mean", "sum"), "a mean over all"),
    **dict.fromkeys(("max", "amax"), "a maximum over all"),
    "adaptive_avg_pool2d": "a pool over all",
    "AdaptiveAvgPool2d": "a pool over all",
    "Linear": "a linear layer over all",
}


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer in one input, which has a grid of positions.

    `size` is its extent through windows alone, None without such a path. `all_by` names the layer
    through which it covers all positions; empty without one.
    """

    input: int
    grid: Grid
    size: tuple[int, ...] | None
    all_by: str = ""


class Extent(NamedTuple):
    """The part of a tensor that is needed: its size along each dimension of the grid, or everything
    (`all_by` names the layer). `lost`: positions could not be followed."""

    size: tuple[int, ...] | None = None
    all_by: str = ""
    lost: bool = False

    def __or__(self, other: Extent) -> Extent:
        sizes = [size for size in (self.size, other.size) if size is not None]
        alike = len({len(size) for size in sizes}) == 1
        longest = tuple(map(max, *sizes)) if alike and len(sizes) > 1 else next(iter(sizes), None)
        lost = self.lost or other.lost or (bool(sizes) and not alike)
        return Extent(longest, self.all_by or other.all_by, lost)


NOTHING = Extent()


class GridRule(NamedTuple):
    """How a layer uses one of its inputs. `cause` names a layer that uses all positions at once; a
    change of resolution reads `taps` positions for each value."""

    how: View
    given: Grid | None = None
    made: Grid | None = None
    window: Window | None = None
    cause: str = ""
    taps: int = 1

    def extent(self, need: Extent) -> Extent:
        if self.how == "lost":
            return Extent(lost=True, all_by=need.all_by)
        if self.how == "all":
            return Extent(all_by=self.cause or need.all_by)
        size = None if need.size is None or self.given is None else self._row(need.size)
        return Extent(size, self.cause or need.all_by, need.lost)

    def _row(self, size: tuple[int, ...]) -> tuple[int, ...]:
        given, made = self.given or (), self.made or ()
        if len(size) != len(given):  # the map was flattened in between
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
class GridFlow:
    """A trace with the grid of each tensor in it: the grids of its inputs; for each call the rule
    of each input, the grids of the outputs, and the flow inside it."""

    trace: Trace
    input_grids: tuple[Grid | None, ...]
    rules: list[tuple[GridRule | None, ...]]
    output_grids: list[tuple[Grid | None, ...]]
    inner: list[GridFlow | None]

    def origin(self, source: Source | str | None) -> Grid | None:
        if not isinstance(source, Source):
            return None
        grids = self.input_grids if source.call == INPUT else self.output_grids[source.call]
        return grids[source.output]

    def shape(self, source: Source | str | None, used: Shape) -> Shape:
        """The shape of a tensor where it was computed."""
        if not isinstance(source, Source):
            return used
        made = source.call != INPUT
        shapes = self.trace.calls[source.call].trace.outputs if made else self.trace.inputs
        return shapes[source.output]


def grid_flow(trace: Trace, given: tuple[Grid | None, ...]) -> GridFlow:
    found = GridFlow(trace, given, [], [], [])
    for call in trace.calls:
        grids = tuple(found.origin(source) for source in call.sources)
        if call.trace.calls:
            inner = grid_flow(call.trace, grids)
            found.inner.append(inner)
            found.rules.append(())
            found.output_grids.append(_output_grids(inner))
        else:
            rules, made = _leaf_rules(found, call, grids)
            found.inner.append(None)
            found.rules.append(rules)
            found.output_grids.append(made)
    return found


def _output_grids(inner: GridFlow) -> tuple[Grid | None, ...]:
    """The grids of the outputs of a block, which may have cropped them."""
    trace = inner.trace
    found: list[Grid | None] = []
    for source, out in zip(trace.returns, trace.outputs, strict=True):
        grid = inner.origin(source)
        made = inner.shape(source, out)
        found.append(_cut(grid, made, out) or grid if grid and not _has_grid(out, grid) else grid)
    return tuple(found)


def _leaf_rules(
    found: GridFlow, call: Call, grids: tuple[Grid | None, ...]
) -> tuple[tuple[GridRule | None, ...], tuple[Grid | None, ...]]:
    trace = call.trace
    whole = list(map(found.shape, call.sources, trace.inputs))
    rules = tuple(
        None if grid is None else _rule(trace, i, grid, whole[i]) for i, grid in enumerate(grids)
    )
    known = [rule.made for rule in rules if rule and rule.made is not None]
    largest = LOST if LOST in known else max(known, key=math.prod, default=None)
    return rules, (largest,) * len(trace.outputs)


def _rule(trace: Trace, i: int, grid: Grid, made: Shape) -> GridRule:
    """How a layer uses input `i`, whose positions are (or were, before a view) on this grid."""
    used, out = trace.inputs[i], trace.outputs[0] if trace.outputs else ()
    if grid == LOST:
        return GridRule("lost", grid, LOST)
    if trace.is_passthrough:
        return _passthrough_rule(used, out, grid)
    if math.prod(grid) == 1 and not trace.window:
        return GridRule("each", grid, grid)
    if not _has_grid(used, grid):
        return _fold_rule(trace, i, grid, made)
    if _slides(trace):
        return _window_rule(trace, used, out, grid)
    if (trace.kind == ATTENTION and i in (1, 2)) or issubclass(trace.cls or object, nn.RNNBase):
        return GridRule("all", grid, _grid_or_ones(out, grid), cause=_cause(trace))
    if not _has_grid(out, grid):
        return _merge_rule(trace, used, out, grid)
    over_all = issubclass(trace.cls or object, nn.GroupNorm) and math.prod(grid) > 1
    return GridRule("each", grid, grid, cause=_cause(trace) if over_all else "")


def _passthrough_rule(used: Shape, out: Shape, grid: Grid) -> GridRule:
    """A view, or a slice of one."""
    whole = math.prod(out) == math.prod(used)
    return GridRule("each", grid, grid if whole else _cut(grid, used, out) or _ones(grid))


def _slides(trace: Trace) -> bool:
    return (
        bool(trace.window) or trace.kind in ("interpolate", "Upsample") or "daptive" in trace.kind
    )


def _window_rule(trace: Trace, used: Shape, out: Shape, grid: Grid) -> GridRule:
    """A convolution, a pool or a change of resolution of a map in the last dimensions."""
    k = len(trace.window.kernel) if trace.window else len(grid)
    if used[-k:] != grid:
        return GridRule("lost", grid, LOST)
    after = out[-k:]
    if trace.window:
        transposed = issubclass(trace.cls or object, TransposedConvolution)
        return GridRule("transposed" if transposed else "window", grid, after, trace.window)
    if "daptive" in trace.kind:
        if after == grid:
            return GridRule("each", grid, grid)
        return GridRule("all", grid, after, cause=_cause(trace))
    nearest = "nearest" in trace.settings or "mode" not in trace.settings
    return GridRule("resized", grid, after, taps=1 if nearest else 2)


def _merge_rule(trace: Trace, used: Shape, out: Shape, grid: Grid) -> GridRule:
    """The grid is in the input but not in the output: reshaped, or reduced by a layer."""
    if trace.kind == "cat":
        longer = next((n for n, m in zip(out, used, strict=True) if n != m), 0)
        return GridRule("each", grid, (longer,))
    if not trace.is_module and math.prod(out) == math.prod(used):
        return GridRule("each", grid, grid)
    known = trace.kind in CAUSES
    return (
        GridRule("all", grid, _ones(grid), cause=_cause(trace))
        if known
        else GridRule("lost", grid, LOST)
    )


def _fold_rule(trace: Trace, i: int, grid: Grid, made: Shape) -> GridRule:
    """The grid is not visible in the input's shape: it was sliced or flattened."""
    used = trace.inputs[i]
    if math.prod(used) < math.prod(made):
        cut = _cut(grid, made, used)
        return _rule(trace, i, cut, used) if cut else GridRule("each", grid, _ones(grid))
    row = math.prod(used[1:-1]) == 1 and len(used) > 1 and trace.kind in CAUSES
    return (
        GridRule("all", grid, _ones(grid), cause=_cause(trace))
        if row
        else GridRule("lost", grid, LOST)
    )


def _cut(grid: Grid, made: Shape, used: Shape) -> Grid | None:
    """The grid that is left of a cropped map or sequence."""
    dim = _first_grid_dim(made, grid)
    return used[dim : dim + len(grid)] if dim and len(used) == len(made) else None


def _has_grid(shape: Shape, grid: Grid) -> bool:
    """Whether a shape contains the grid, dimension by dimension or flattened."""
    return bool(_first_grid_dim(shape, grid)) or math.prod(grid) in shape[1:]


def _first_grid_dim(shape: Shape, grid: Grid) -> int:
    """The first dimension of the grid in a shape; 0 if it is not there dimension by dimension."""
    found = (i for i in range(1, len(shape)) if shape[i : i + len(grid)] == grid)
    return next(found, 0)


def _grid_or_ones(out: Shape, grid: Grid) -> Grid:
    return grid if _has_grid(out, grid) else _ones(grid)


def _ones(grid: Grid) -> Grid:
    return (1,) * len(grid)


def _cause(trace: Trace) -> str:
    return CAUSES.get(trace.kind, trace.kind)


def receptive_fields(
    name: str, root: Trace, uses: Mapping[str, NodeUse]
) -> tuple[ReceptiveField, ...]:
    """The receptive fields of a node, one for each input of the network with positions that it
    depends on.

    For repeated blocks, those of the last. Empty if there is none or it is unknown.
    """
    place = _call_path(name, root, uses)
    if not place:
        return ()
    given = tuple(_input_grid(shape, root) for shape in root.inputs)
    steps = [grid_flow(root, given)]
    for at in place[:-1]:
        inner = steps[-1].inner[at]
        if inner is None:
            return ()
        steps.append(inner)
    needs = _input_extents(
        steps[-1], place[-1], [_one_position(grid) for grid in steps[-1].output_grids[place[-1]]]
    )
    for step, at in zip(reversed(steps), reversed(place), strict=True):
        needs = _trace_back(step, at, needs)
    return tuple(
        ReceptiveField(i, grid, need.size, need.all_by)
        for i, (grid, need) in enumerate(zip(given, needs, strict=True))
        if grid and (need.all_by or (need.size and not need.lost))
    )


def _one_position(grid: Grid | None) -> Extent:
    """One position of a layer's output, or all that is left of it."""
    return NOTHING if grid is None else Extent((1,) * len(grid), lost=grid == LOST)


def _trace_back(step: GridFlow, at: int, needs: Sequence[Extent]) -> list[Extent]:
    """What a block needs of its inputs so that its call number `at` gets what it needs."""
    wanted: dict[Source, Extent] = {}
    _require(wanted, step.trace.calls[at], needs)
    for number in range(at - 1, -1, -1):
        call = step.trace.calls[number]
        asked = [wanted.get(Source(number, i), NOTHING) for i in range(len(call.trace.outputs))]
        if any(need != NOTHING for need in asked):
            _require(wanted, call, _input_extents(step, number, asked))
    return [wanted.get(Source(INPUT, i), NOTHING) for i in range(len(step.trace.inputs))]


def _require(wanted: dict[Source, Extent], call: Call, needs: Sequence[Extent]) -> None:
    for source, need in zip(call.sources, needs, strict=True):
        if isinstance(source, Source):
            wanted[source] = wanted.get(source, NOTHING) | need


def _input_extents(step: GridFlow, number: int, asked: Sequence[Extent]) -> list[Extent]:
    """What a call needs of its inputs, given what is needed of its outputs."""
    inner = step.inner[number]
    if inner is None:
        whole = NOTHING
        for need in asked:
            whole |= need
        return [rule.extent(whole) if rule else NOTHING for rule in step.rules[number]]
    wanted = [NOTHING] * len(inner.trace.inputs)
    for source, need in zip(inner.trace.returns, asked, strict=True):
        if need != NOTHING and isinstance(source, Source):
            wanted = [
                one | other
                for one, other in zip(wanted, _extents_of_source(inner, source, need), strict=True)
            ]
    return wanted


def _extents_of_source(step: GridFlow, source: Source, need: Extent) -> list[Extent]:
    """What a block needs of its inputs for a given part of one of its tensors."""
    if source.call == INPUT:
        return [need if i == source.output else NOTHING for i in range(len(step.trace.inputs))]
    outputs = step.trace.calls[source.call].trace.outputs
    asked = [need if i == source.output else NOTHING for i in range(len(outputs))]
    return _trace_back(step, source.call, _input_extents(step, source.call, asked))


def _call_path(name: str, root: Trace, uses: Mapping[str, NodeUse]) -> tuple[int, ...]:
    """The numbers of the calls that lead from the root to a node; empty if the node is no call."""
    use = uses.get(name)
    if use is None:
        return ()
    first = next(i for i, call in enumerate(use.caller.calls) if call is use.call)
    last = first + use.repeat - 1
    if use.caller is root:
        return (last,)
    outer, _, number = name.rpartition("#")
    around = (outer if outer and number.isdigit() else name).removesuffix(use.call.name)
    above = _call_path(around.removesuffix("."), root, uses)
    return (*above, last) if above else ()


def _input_grid(shape: Shape, root: Trace) -> Grid | None:
    """The positions of an input: pixels of an image, steps or tokens of a sequence."""
    tables = (trace for trace, _ in distinct_traces(root) if trace.kind in TABLES)
    if len(shape) == 4:
        grid: Grid = shape[2:]
    elif len(shape) == 3:
        grid = (max(shape[1:]),)
    elif len(shape) == 2 and any(shape in table.inputs for table in tables):
        grid = shape[1:]
    else:
        return None
    return grid if math.prod(grid) > 1 else None
