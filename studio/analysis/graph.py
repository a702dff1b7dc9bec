"""From a trace to what is drawn: blocks that fold, boxes that compute, and the data between them.

Left out is what computes nothing (views, casts, dropout in evaluation). Neighbours that are one
body in a chain become one node with a `repeat`. Edges run from the box that made the data to
the box that uses it, however deep the two lie, so that a residual can be followed into a block.

The rows of a composition have names of their own: each is one box, even where it computes nothing
or equals its neighbour.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from studio.analysis import units
from studio.analysis.body import INPUT, Body, Call, Shape, Source
from studio.drawing.graph import Edge, Graph, Node
from studio.knobs import Knob
from studio.records import RecordKnob, knobs_of, titled

NO_ROWS: Mapping[str, str] = MappingProxyType({})
SIGNS = {
    "add": "+",
    "radd": "+",
    "sub": "−",
    "rsub": "−",
    "mul": "×",
    "rmul": "×",
    "truediv": "÷",
    "matmul": "@",
    "cat": "concat",
    "scaled_dot_product_attention": "softmax attention",
    "interpolate": "up-sample",
    "zeros_like": "zeros",
    "adaptive_avg_pool2d": "average pool",
}


class Made(NamedTuple):
    """A tensor on its way: the box that made it, and the shape that it had there."""

    node: str
    shape: Shape | None  # None for a parameter that is another module's


def rows(config: Any) -> dict[str, str]:
    """How the rows of a composition are called in its graph, by their paths: `1 Residual × 3`."""
    held = {name: k for name, k in knobs_of(config).items() if isinstance(k, RecordKnob)}
    placed = chain.from_iterable(k.rows(getattr(config, name)) for name, k in held.items())
    return {place: f"{titled(place, row)}{_times(knobs_of(row), row)}" for place, row in placed}


def _times(known: Mapping[str, Knob], row: Any) -> str:
    """How many blocks it has where it is scaled by that, and has more than one."""
    depth = row.depth if "depth" in known and known["depth"].axis == "depth" else 1
    return f" × {depth}" if depth > 1 else ""


def graph(root: Body, rows: Mapping[str, str] = NO_ROWS) -> Graph:
    """The picture of a traced model. Ids are paths of modules, the same at every depth."""
    plan = Plan(rows)
    inputs = _ends("input", root.inputs)
    given = [Made(node.id, shape) for node, shape in zip(inputs, root.inputs, strict=True)]
    inner, made = plan.inside(root, "", given)
    outputs = _ends("output", root.outputs)
    for node, source, shape in zip(outputs, made, root.outputs, strict=True):
        plan.connect(source, node.id, shape)
    children = (*inputs, *inner, *outputs)
    return Graph(Node(id="", label=root.kind, children=children), tuple(plan.edges))


def _ends(kind: Literal["input", "output"], shapes: Sequence[Shape]) -> tuple[Node, ...]:
    """The boxes at which the data enters or leaves, numbered where there are several."""
    many = len(shapes) > 1
    return tuple(
        Node(
            id=f"{kind}{i or ''}",
            label=f"{kind} {i + 1}" if many else kind,
            detail=units.shape(shape),
            kind=kind,
            facts=(units.shape(shape),),
        )
        for i, shape in enumerate(shapes)
    )


@dataclass
class Plan:
    """The edges found so far, while the tree of nodes is built."""

    rows: Mapping[str, str]
    edges: list[Edge] = field(default_factory=list)

    def connect(self, source: Made | None, target: str, shape: Shape) -> None:
        """An edge says what arrives; where a part was taken on the way, what it was taken from."""
        if source is None:
            return
        whole = source.shape is None or math.prod(source.shape) == math.prod(shape)
        label = units.shape(shape)
        label = label if whole else f"{units.shape(source.shape or ())} → {label}"
        self.edges.append(Edge(source.node, target, label))

    def inside(
        self, body: Body, path: str, inputs: Sequence[Made | None]
    ) -> tuple[tuple[Node, ...], list[Made | None]]:
        """The nodes of a body's calls, and for each output of the body the box that makes it."""
        nodes: dict[str, Node] = {}
        made: list[list[Made | None]] = []  # per call, per output
        names: Counter[str] = Counter()
        shapes = dict(body.tensors)

        def origin(source: Source | str | None) -> Made | None:
            if isinstance(source, str):
                name = f"{path}{source}"
                nodes.setdefault(name, _parameter(name, source, shapes.get(source)))
                return Made(name, shapes.get(source))
            if source is None:
                return None
            made_by = inputs if source.call == INPUT else made[source.call]
            return made_by[source.output]

        for first, repeat in _runs(body.calls, {name.removeprefix(path) for name in self.rows}):
            call = body.calls[first]
            sources = [origin(source) for source in call.sources]
            row = f"{path}{call.name}" in self.rows
            if call.body.transparent and not row:
                outputs: list[Made | None] = [sources[0]] * len(call.body.outputs)
            else:
                names[call.name] += 1
                again = f"#{names[call.name]}" if names[call.name] > 1 else ""
                node, outputs = self._call(call, f"{path}{call.name}{again}", repeat, sources)
                spread = repeat == 1 and _is_list(call.body) and not row
                shown = node.children if spread else (node,)
                nodes |= {child.id: child for child in shown}
            made += [outputs] * repeat
        return tuple(nodes.values()), [origin(source) for source in body.returns]

    def _call(
        self, call: Call, name: str, repeat: int, sources: list[Made | None]
    ) -> tuple[Node, list[Made | None]]:
        body = call.body
        children, outputs = self.inside(body, f"{name}.", sources) if body.calls else ((), [])
        own = [Made(name, shape) for shape in body.outputs]
        if not children:
            for source, shape in zip(sources, body.inputs, strict=True):
                self.connect(source, name, shape)
            outputs = list(own)
        node = _node(call, name, repeat, children, self.rows.get(name, ""))
        return node, [made or mine for made, mine in zip(outputs, own, strict=True)]


def _parameter(name: str, label: str, shape: Shape | None) -> Node:
    """A parameter or a buffer that joins the flow, under its path where it is another module's."""
    facts = () if shape is None else (units.shape(shape), f"{math.prod(shape):,} values")
    return Node(id=name, label=label, kind="parameter", facts=facts)


def _is_list(body: Body) -> bool:
    """A plain Sequential of blocks is a list of them; one of layers is a block of its own."""
    return body.kind == "Sequential" and any(call.body.calls for call in body.calls)


def _label(call: Call) -> str:
    kind = call.body.kind
    if kind == "Sequential":
        return call.name.rpartition(".")[2]
    return SIGNS.get(kind, kind if call.body.is_module else kind.replace("_", " "))


def _node(call: Call, name: str, repeat: int, children: tuple[Node, ...], row: str = "") -> Node:
    body = call.body
    return Node(
        id=name,
        label=row or _label(call),
        detail=_detail(body, repeat),
        kind="module" if body.is_module else "operation",
        repeat=repeat,
        facts=tuple(_facts(call, repeat)),
        children=children,
    )


def _detail(body: Body, repeat: int) -> str:
    if not body.params:
        return ""
    each = " each" if repeat > 1 else ""
    return f"{units.count(body.params)} parameters{each}"


def _facts(call: Call, repeat: int) -> Iterator[str]:
    body = call.body
    yield call.name if repeat == 1 else f"{call.name} and the next {repeat - 1}, all alike"
    if body.settings:
        yield body.settings
    yield "in: " + ", ".join(map(units.shape, body.inputs))
    yield "out: " + ", ".join(map(units.shape, body.outputs))
    if body.params:
        yield f"{body.params:,} parameters" + (" each" if repeat > 1 else "")
    if body.macs:
        yield units.macs(body.macs) + (" each" if repeat > 1 else "")


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
        and this.body.is_module
        and this.sources[:1] == (Source(number - 1),)
        and this.sources[1:] == last.sources[1:]
    )
