"""From a trace to what is drawn: blocks that fold, boxes that compute, and the data between them.

Left out is what computes nothing (views, casts, dropout in evaluation), and what is the same for
every input (zeros to begin with, places to count from), unless it is a parameter or a buffer.
Neighbours that are one body in a chain become one node with a `repeat`. Edges run from the box that
made the data to the box that uses it, however deep the two lie, so that a residual can be followed
into a block.

The rows of a composition have names of their own: each is one box, even where it computes nothing
or equals its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from studio.analysis import signature
from studio.analysis.apart import UNTOLD, Told, told_apart
from studio.analysis.axes import Axes, Ends, named, nameless, written
from studio.analysis.body import INPUT, Body, Call, Shape, Source
from studio.analysis.kept import Kept, Ledger, Occurrence, occurrences
from studio.analysis.nodes import call_node, hands_on, is_constant, parameter_node
from studio.drawing.graph import Edge, Figures, Graph, Node
from studio.knobs import Knob
from studio.records import RecordKnob, knobs_of, titled

NO_ROWS: Mapping[str, str] = MappingProxyType({})
AGAIN = "↺"  # what a block is fed by that repeats itself from a constant on
NO_NAMES: Mapping[Shape, Axes] = MappingProxyType({})


class Use(NamedTuple):
    """What a node stands for: `repeat` calls of one body, made by the forward of another. `times`
    is how often those around it repeat. `kept` is what each of the calls keeps for the backward
    pass, where that is known; `told` tells it from its like."""

    call: Call
    repeat: int
    within: Body
    times: int
    kept: tuple[tuple[Body, Kept], ...] = ()
    axes: Ends = Ends((), ())
    told: Told = UNTOLD


class Made(NamedTuple):
    """A tensor on its way: the box that made it, the shape that it had there, and how the axes of
    the shapes that it has had are called by those who hand it on."""

    node: str
    shape: Shape
    names: Mapping[Shape, Axes] = NO_NAMES

    def within(self, shape: Shape, axes: Axes) -> Made:
        """Handed into a block: there it may have another shape, whose axes get these names."""
        return self._replace(names={shape: axes} | {**self.names}) if axes else self

    def out(self, shape: Shape, axes: Axes) -> Made:
        """Handed out of a block: outside, these names hold."""
        return self._replace(names={**self.names, shape: axes}) if axes else self


def rows(config: Any) -> dict[str, str]:
    """How the rows of a composition are called in its graph, by their paths: `1 Residual × 3`."""
    held = {name: k for name, k in knobs_of(config).items() if isinstance(k, RecordKnob)}
    placed = chain.from_iterable(k.rows(getattr(config, name)) for name, k in held.items())
    return {place: f"{titled(place, row)}{_times(knobs_of(row), row)}" for place, row in placed}


def _times(known: Mapping[str, Knob], row: Any) -> str:
    """How many blocks it has where it is scaled by that, and has more than one."""
    depth = row.depth if "depth" in known and known["depth"].axis == "depth" else 1
    return f" × {depth}" if depth > 1 else ""


def graph(root: Body, rows: Mapping[str, str] = NO_ROWS, training: Body | None = None) -> Graph:
    """The picture of a model traced for inference. Ids are paths of modules, the same at every
    depth. What is kept for the backward pass is known from its trace in training mode."""
    return planned(root, rows, training)[0]


def planned(
    root: Body, rows: Mapping[str, str] = NO_ROWS, training: Body | None = None
) -> tuple[Graph, Mapping[str, Use]]:
    """The picture, and by id what each of its nodes stands for, where that is a call."""
    plan = Plan(rows, called(root))
    ends = named(root, nameless(root)).own
    inputs = _ends("input", signature.inputs(root), root.inputs, ends.ins)
    given = [
        Made(node.id, shape, {shape: axes})
        for node, shape, axes in zip(inputs, root.inputs, ends.ins, strict=True)
    ]
    here = Place("", "", Ledger(training) if training else None, 1)
    inner, made = plan.inside(root, here, given, nameless(root))
    outputs = _ends("output", signature.outputs(root), root.outputs, ends.outs)
    for node, source, shape, axes in zip(outputs, made, root.outputs, ends.outs, strict=True):
        plan.connect(source, node.id, shape, axes)
    children = (*inputs, *inner, *outputs)
    saved = training.saved_bytes if training else 0
    figures = Figures(root.owned, root.macs, saved)
    whole = Node(id="", label=root.kind, children=children, figures=figures)
    return Graph(whole, tuple(plan.edges)), MappingProxyType(plan.uses)


def _ends(
    kind: Literal["input", "output"],
    names: Sequence[str],
    shapes: Sequence[Shape],
    axes: Sequence[Axes],
) -> tuple[Node, ...]:
    """The boxes at which the data enters or leaves."""
    texts = map(written, axes, shapes)
    return tuple(
        Node(id=f"{kind}{i or ''}", label=name, detail=text, kind=kind, facts=(text,))
        for i, (name, text) in enumerate(zip(names, texts, strict=True))
    )


class Place(NamedTuple):
    """Where a body is being drawn: the ids in it begin with `path`, its modules' paths with
    `modules` (a module that is called again has the same); `ledger` knows what it keeps for the
    backward pass, and `times` how often it runs."""

    path: str
    modules: str
    ledger: Ledger | None
    times: int


@dataclass
class Plan:
    """The edges found so far, while the tree of nodes is built.

    `uses` are what nodes stand for, `counted` the parameters and modules that have been counted.
    """

    rows: Mapping[str, str]
    called: Container[str]
    edges: list[Edge] = field(default_factory=list)
    uses: dict[str, Use] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def connect(self, source: Made | None, target: str, shape: Shape, axes: Axes = None) -> None:
        """An edge says what arrives; where a part was taken on the way, what it was taken from."""
        if source is None:
            return
        label = written(source.names.get(shape, axes), shape)
        if math.prod(source.shape) != math.prod(shape):
            whole = written(source.names.get(source.shape), source.shape)
            label = f"{whole} → {written(None, shape)}"
        self.edges.append(Edge(source.node, target, label))

    def inside(
        self, body: Body, place: Place, inputs: Sequence[Made | None], outside: Ends
    ) -> tuple[tuple[Node, ...], list[Made | None]]:
        """The nodes of a body's calls, and for each output of the body the box that makes it;
        `outside` are the names of the axes at its ends, as the one who calls it has them."""
        axes = named(body, outside).calls
        nodes: dict[str, Node] = {}
        made: list[list[Made | None]] = []  # per call, per output
        names, words = occurrences(body.calls), told_apart(body.calls)
        own = dict((*body.weights, *body.buffers))
        shapes = own | dict(body.borrowed)

        def origin(source: Source | str | None) -> Made | None:
            if isinstance(source, str):
                name = f"{place.path}{source}" if source in own else source
                nodes.setdefault(name, self._parameter(body, place, name, source, shapes[source]))
                return Made(name, shapes[source])
            if source is None:
                return None
            made_by = inputs if source.call == INPUT else made[source.call]
            return made_by[source.output]

        apart = {name.removeprefix(place.path) for name in self.rows}
        for first, repeat in _runs(body.calls, apart):
            call = body.calls[first]
            sources = [origin(source) for source in call.sources]
            row = f"{place.path}{call.name}" in self.rows
            if is_constant(call.body, fed=any(sources)):
                outputs: list[Made | None] = [None] * len(call.body.outputs)
            elif hands_on(call.body) and not row:
                outputs = [sources[0]] * len(call.body.outputs)
            else:
                run = names[first : first + repeat]
                kept = place.ledger.of(run) if place.ledger else ()
                told = words.get(call.name, UNTOLD)
                use = Use(call, repeat, body, place.times, kept, axes[first + repeat - 1], told)
                node, outputs = self._call(use, place, run, sources)
                spread = repeat == 1 and _is_list(call.body) and not row
                shown = node.children if spread else (node,)
                nodes |= {child.id: child for child in shown}
            made += [outputs] * repeat
        return tuple(nodes.values()), [origin(source) for source in body.returns]

    def _call(
        self,
        use: Use,
        place: Place,
        run: Sequence[Occurrence],
        sources: list[Made | None],
    ) -> tuple[Node, list[Made | None]]:
        call, body, ledger, axes = use.call, use.call.body, place.ledger, use.axes
        again = f"#{run[0][1] + 1}" if run[0][1] else ""
        name = f"{place.path}{call.name}{again}"
        module = call.name if call.elsewhere else f"{place.modules}{call.name}"
        owned = self._new(module) * body.owned
        saved = sum(map(ledger.kept, run)) if ledger else 0
        self.uses[name] = use
        mark, looped = len(self.edges), use.repeat > 1 and sources[0] is None
        if looped:
            sources = [Made(AGAIN, body.inputs[0]), *sources[1:]]
        inner = ledger.inside(run[min(1, len(run) - 1)]) if ledger else None
        below = Place(f"{name}.", f"{module}.", inner, use.times * use.repeat)
        given = [
            source and source.within(shape, names)
            for source, shape, names in zip(sources, body.inputs, axes.ins, strict=True)
        ]
        children, outputs = self.inside(body, below, given, axes) if body.calls else ((), [])
        own = [Made(name, shape) for shape in body.outputs]
        if not children:
            for source, shape in zip(given, body.inputs, strict=True):
                self.connect(source, name, shape)
            outputs = list(own)
        if looped and outputs[0]:
            self._close(mark, outputs[0].node)
        # A block may call a module that another holds: it counts where it is first called.
        params = sum(child.figures.params for child in children) if children else owned
        figures = Figures(params * use.repeat, body.macs * use.repeat, saved)
        row = self.rows.get(name, "")
        told = UNTOLD if row else use.told
        node = call_node(call, name, use.repeat, figures, children, axes, row, told)
        return node, [
            (made or mine).out(shape, names)
            for made, mine, shape, names in zip(outputs, own, body.outputs, axes.outs, strict=True)
        ]

    def _close(self, mark: int, end: str) -> None:
        """Feed a repeated block that begins with a constant from its own end: so are all but the
        first of its repeats. `mark` is where its edges begin."""
        self.edges[mark:] = [
            replace(edge, source=end, again=True) if edge.source == AGAIN else edge
            for edge in self.edges[mark:]
        ]

    def _new(self, name: str) -> bool:
        """Whether a module or a tensor has not been counted yet; it is from now on."""
        new = name not in self.counted
        self.counted.add(name)
        return new

    def _parameter(self, body: Body, place: Place, name: str, label: str, shape: Shape) -> Node:
        """A parameter or a buffer that joins the flow, under its path where it is another
        module's: there it counts only where nobody calls that module."""
        mine = dict(body.weights)
        whole = f"{place.modules}{label}" if label in mine else label
        counts = label in mine or (label in dict(body.borrowed) and not self._called(label))
        params = math.prod(shape) if counts and self._new(whole) else 0
        return parameter_node(name, label, shape, Figures(params))

    def _called(self, tensor: str) -> bool:
        return tensor.rpartition(".")[0] in self.called


def called(body: Body, path: str = "") -> frozenset[str]:
    """The paths of the modules that are called, of equal neighbours the first alone."""
    found = set()
    for first, _ in _runs(body.calls, ()):
        call = body.calls[first]
        if call.body.is_module:
            module = call.name if call.elsewhere else f"{path}{call.name}"
            found |= {module} | called(call.body, f"{module}.")
    return frozenset(found)


def _is_list(body: Body) -> bool:
    """A plain Sequential of blocks is a list of them; one of layers is a block of its own."""
    return body.kind == "Sequential" and any(call.body.calls for call in body.calls)


def _runs(calls: Sequence[Call], apart: Container[str]) -> Iterator[tuple[int, int]]:
    """(first, length) of each chain of calls of one body that feed one another; those named in
    `apart` are chains of one."""
    first = 0
    while first < len(calls):
        end = first + 1
        while end < len(calls) and calls[end].name not in apart and _follows(calls, end):
            end += 1
        yield first, end - first
        first = end


def _follows(calls: Sequence[Call], number: int) -> bool:
    """Does this call do to the last one's output what the last one did to its own input?"""
    this, last = calls[number], calls[number - 1]
    return (
        this.body is last.body
        and this.name != last.name
        and this.body.is_module
        and this.sources[:1] == (Source(number - 1),)
        and this.sources[1:] == last.sources[1:]
    )


def walked(node: Node, times: int = 1) -> Iterator[tuple[Node, int]]:
    """A node and all below it, and how often the blocks around each repeat."""
    yield node, times
    for child in node.children:
        yield from walked(child, times * node.repeat)


def modules(name: str, uses: Mapping[str, Use]) -> tuple[str, ...]:
    """The paths of all the modules that a node stands for; the model itself is ""."""
    if not name:
        return ("",)
    use = uses[name]
    calls = use.within.calls
    first = next(i for i, call in enumerate(calls) if call is use.call)
    run = dict.fromkeys(call.name for call in calls[first : first + use.repeat])
    outer, _, number = name.rpartition("#")
    around = (outer if outer and number.isdigit() else name).removesuffix(use.call.name)
    above = modules(around.removesuffix("."), uses)
    return tuple(f"{path}.{one}".lstrip(".") for path in above for one in run)
