"""From a trace to what is drawn: blocks that fold, boxes that compute, and the data between them.

Left out is what computes nothing (views, casts, dropout in evaluation). Neighbours that are one
body in a chain become one node with a `repeat`. Edges run from the box that made the data to
the box that uses it, however deep the two lie, so that a residual can be followed into a block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from studio.analysis import units
from studio.analysis.body import INPUT, Body, Call, Source
from studio.drawing.graph import Edge, Graph, Node

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
    "adaptive_avg_pool2d": "average pool",
}


def graph(root: Body) -> Graph:
    """The picture of a traced model. Ids are paths of modules, the same at every depth."""
    plan = Plan()
    inputs = tuple(_input(i, shape, len(root.inputs)) for i, shape in enumerate(root.inputs))
    inner, made = plan.inside(root, "", [node.id for node in inputs])
    outputs = tuple(
        Node(id=f"output{i or ''}", label="output", detail=units.shape(shape), kind="output")
        for i, shape in enumerate(root.outputs)
    )
    for node, maker, shape in zip(outputs, made, root.outputs, strict=True):
        plan.connect(maker, node.id, units.shape(shape))
    children = (*inputs, *inner, *outputs)
    return Graph(Node(id="", label=root.kind, children=children), tuple(plan.edges))


def _input(number: int, shape: tuple[int, ...], among: int) -> Node:
    label = f"input {number + 1}" if among > 1 else "input"
    return Node(id=f"input{number or ''}", label=label, detail=units.shape(shape), kind="input")


@dataclass
class Plan:
    """The edges found so far, while the tree of nodes is built."""

    edges: list[Edge] = field(default_factory=list)

    def connect(self, source: str | None, target: str, label: str) -> None:
        if source is not None:
            self.edges.append(Edge(source, target, label))

    def inside(
        self, body: Body, path: str, inputs: Sequence[str | None]
    ) -> tuple[tuple[Node, ...], list[str | None]]:
        """The nodes of a body's calls, and for each output of the body the box that makes it."""
        nodes: dict[str, Node] = {}
        made: list[list[str | None]] = []  # per call, per output: the box that makes it
        names: Counter[str] = Counter()

        def origin(source: Source | str | None) -> str | None:
            if isinstance(source, str):
                name = f"{path}{source}"
                nodes.setdefault(name, Node(id=name, label=source, kind="parameter"))
                return name
            if source is None:
                return None
            made_by = inputs if source.call == INPUT else made[source.call]
            return made_by[source.output]

        for first, repeat in _runs(body.calls):
            call = body.calls[first]
            sources = [origin(source) for source in call.sources]
            if call.body.transparent:
                outputs: list[str | None] = [sources[0]] * len(call.body.outputs)
            else:
                names[call.name] += 1
                again = f"#{names[call.name]}" if names[call.name] > 1 else ""
                node, outputs = self._call(call, f"{path}{call.name}{again}", repeat, sources)
                shown = node.children if repeat == 1 and _is_list(call.body) else (node,)
                nodes |= {child.id: child for child in shown}
            made += [outputs] * repeat
        return tuple(nodes.values()), [origin(source) for source in body.returns]

    def _call(
        self, call: Call, name: str, repeat: int, sources: list[str | None]
    ) -> tuple[Node, list[str | None]]:
        body = call.body
        children, outputs = self.inside(body, f"{name}.", sources) if body.calls else ((), [])
        if not children:
            for source, shape in zip(sources, body.inputs, strict=True):
                self.connect(source, name, units.shape(shape))
            outputs = [name] * len(body.outputs)
        return _node(call, name, repeat, children), [made or name for made in outputs]


def _is_list(body: Body) -> bool:
    """A plain Sequential of blocks is a list of them; one of layers is a block of its own."""
    return body.kind == "Sequential" and any(call.body.calls for call in body.calls)


def _label(call: Call) -> str:
    kind = call.body.kind
    if kind == "Sequential":
        return call.name.rpartition(".")[2]
    return SIGNS.get(kind, kind if call.body.is_module else kind.replace("_", " "))


def _node(call: Call, name: str, repeat: int, children: tuple[Node, ...]) -> Node:
    body = call.body
    return Node(
        id=name,
        label=_label(call),
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


def _runs(calls: Sequence[Call]) -> Iterator[tuple[int, int]]:
    """(first, length) of each chain of calls of one body that feed one another."""
    first = 0
    while first < len(calls):
        end = first + 1
        while end < len(calls) and _follows(calls, end):
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
