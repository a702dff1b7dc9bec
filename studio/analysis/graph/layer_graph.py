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

from studio.analysis.cost.saved_tensors import Kept, Ledger, Occurrence, occurrences
from studio.analysis.graph.disambiguation import UNTOLD, Told, size, told_apart
from studio.analysis.graph.node_text import (
    call_node,
    distinct,
    hands_on,
    is_constant,
    parameter_node,
)
from studio.analysis.names import io_names
from studio.analysis.names.dim_letters import Alphabet, Scope
from studio.analysis.names.dim_names import Axes, Ends, Named, named, nameless, written
from studio.analysis.trace.tree import INPUT, Body, Call, Shape, Source
from studio.drawing.graph import Edge, Figures, Graph, Node
from studio.knobs import Knob
from studio.records import RecordKnob, knobs_of, titled

NO_ROWS: Mapping[str, str] = MappingProxyType({})
AGAIN = "↺"  # what a block is fed by that repeats itself from a constant on
NOWHERE: Mapping[str, str] = MappingProxyType({})


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
    """A tensor on its way: the box that made it, the shape that it had there, and by the boxes that
    it has left and entered since how it was written there, with the names of its axes."""

    node: str
    shape: Shape
    seen: Mapping[str, str] = NOWHERE

    def at(self, box: str, shape: Shape, axes: Axes) -> Made:
        """Past the border of a box, where it has this shape."""
        return self._replace(seen={**self.seen, box: written(axes, shape)})


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
    local = named(root, nameless(root))
    scope = Scope.of(root, local, (None,) * len(root.inputs))
    axes = plan.alphabet.within(scope, local.own.ins, root.inputs)
    inputs = _ends("input", io_names.inputs(root), root.inputs, axes)
    given = [
        Made(node.id, shape).at(node.id, shape, names)
        for node, shape, names in zip(inputs, root.inputs, axes, strict=True)
    ]
    here = Place("", "", Ledger(training) if training else None, 1)
    children, made = plan.inside(root, here, given, local, scope)
    axes = plan.alphabet.within(scope, local.own.outs, root.outputs)
    outputs = _ends("output", io_names.outputs(root), root.outputs, axes)
    for node, source, shape, names in zip(outputs, made, root.outputs, axes, strict=True):
        plan.connect(source, node.id, shape, names)
    saved = training.saved_bytes if training else 0
    figures = Figures(root.owned, root.macs, saved, root.activation_count)
    shown = (*inputs, *children, *outputs)
    whole = Node(id="", label=root.kind, children=shown, figures=figures)
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

    def beside(self, shown: Mapping[Occurrence, str]) -> dict[str, int]:
        """What calls without a box keep (dropout, which is there in training alone): each with the
        box of the call before it, or of the first one."""
        found: dict[str, int] = {}
        owner = next(iter(shown.values()), "")
        for name, (_, kept) in self.ledger.calls.items() if self.ledger else ():
            owner = shown.get(name, owner)
            if owner and name not in shown and kept.size:
                found[owner] = found.get(owner, 0) + kept.size
        return found


def saving(node: Node, more: int) -> Node:
    """The node, and what is last in it, with more bytes that are kept for the backward pass."""
    figures, children = node.figures + Figures(saved_bytes=more), node.children
    if children and node.repeat == 1:
        children = (*children[:-1], saving(children[-1], more))
    return replace(node, figures=figures, children=children)


@dataclass
class Plan:
    """The edges found so far, while the tree of nodes is built.

    `uses` are what nodes stand for, `counted` the parameters and modules that have been counted.
    """

    rows: Mapping[str, str]
    called: Container[str]
    alphabet: Alphabet = field(default_factory=Alphabet)
    edges: list[Edge] = field(default_factory=list)
    uses: dict[str, Use] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def connect(self, source: Made | None, target: str, shape: Shape, axes: Axes = None) -> None:
        """An edge says what leaves the one box and what enters the other."""
        if source is not None:
            there = source.at(target, shape, axes)
            self.edges.append(Edge(source.node, target, at=tuple(there.seen.items())))

    def inside(
        self,
        body: Body,
        place: Place,
        inputs: Sequence[Made | None],
        local: Named,
        scope: Scope,
    ) -> tuple[tuple[Node, ...], list[Made | None]]:
        """The nodes of a body's calls, and for each output of the body the box that makes it;
        `local` are the names of the axes in its forward, `scope` what their letters mean."""
        nodes: dict[str, Node] = {}
        made: list[list[Made | None]] = []  # per call, per output
        names = occurrences(body.calls)
        words = told_apart(body.calls, place.modules.removesuffix("."))
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
        shown: dict[Occurrence, str] = {}  # the box that stands for a call
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
                ends = local.calls[first + repeat - 1]
                use = Use(call, repeat, body, place.times, kept, ends, told)
                node, outputs = self._call(use, place, run, sources, scope)
                spread = repeat == 1 and _is_list(call.body) and not row
                boxes = node.children if spread else (node,)
                nodes |= {box.id: box for box in boxes}
                shown |= dict.fromkeys(run, boxes[-1].id)
            made += [outputs] * repeat
        for name, more in place.beside(shown).items():
            nodes[name] = saving(nodes[name], more)
        outs = [origin(source) for source in body.returns]  # a parameter may be one
        return self._distinct(nodes), outs

    def _call(
        self,
        use: Use,
        place: Place,
        run: Sequence[Occurrence],
        sources: list[Made | None],
        scope: Scope,
    ) -> tuple[Node, list[Made | None]]:
        call, body, ledger = use.call, use.call.body, place.ledger
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
        ins = self.alphabet.within(scope, use.axes.ins, body.inputs)
        given = [
            source and source.at(name, shape, names)
            for source, shape, names in zip(sources, body.inputs, ins, strict=True)
        ]
        children: tuple[Node, ...] = ()
        outputs: list[Made | None] = []
        if body.calls:
            local = named(body, use.axes)
            inner_scope = Scope.of(body, local, ins)
            children, outputs = self.inside(body, below, given, local, inner_scope)
        axes = Ends(ins, self.alphabet.within(scope, use.axes.outs, body.outputs))
        self.uses[name] = use._replace(axes=axes)
        own = [Made(name, shape) for shape in body.outputs]
        if not children:
            for source, shape, names in zip(given, body.inputs, axes.ins, strict=True):
                self.connect(source, name, shape, names)
            outputs = list(own)
        if looped and outputs[0]:
            self._close(mark, outputs[0].node)
        # A block may call a module that another holds: it counts where it is first called.
        params = sum(child.figures.params for child in children) if children else owned
        work = body.macs * use.repeat, saved, body.activation_count * use.repeat
        figures = Figures(params * use.repeat, *work)
        row = self.rows.get(name, "")
        told = UNTOLD if row else use.told
        node = call_node(call, name, use.repeat, figures, children, axes, row, told)
        return node, [
            (made or mine).at(name, shape, names)
            for made, mine, shape, names in zip(outputs, own, body.outputs, axes.outs, strict=True)
        ]

    def _distinct(self, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
        sizes = {name: size(self.uses[name].call.body) for name in nodes if name in self.uses}
        return distinct(tuple(nodes.values()), sizes)

    def _close(self, mark: int, end: str) -> None:
        """Feed a repeated block that begins with a constant from its own end: so are all but the
        first of its repeats. `mark` is where its edges begin."""
        self.edges[mark:] = [
            replace(edge, source=end, feedback=True) if edge.source == AGAIN else edge
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
