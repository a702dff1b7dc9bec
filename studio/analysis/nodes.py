"""What stands on the boxes of a graph: names, signs, details, and facts for who looks closer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from studio.analysis import units
from studio.analysis.body import Body, Call, Shape
from studio.drawing.graph import Figures, Node

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


def call_node(
    call: Call,
    name: str,
    repeat: int,
    figures: Figures,
    children: tuple[Node, ...],
    row: str = "",
) -> Node:
    """The box of a call, and of its equal neighbours; `row` is how a composition calls it."""
    body = call.body
    return Node(
        id=name,
        label=row or _label(call),
        detail=_detail(body, repeat),
        kind="module" if body.is_module else "operation",
        repeat=repeat,
        facts=tuple(_facts(call, repeat)),
        figures=figures,
        children=children,
    )


def parameter_node(name: str, label: str, shape: Shape, figures: Figures) -> Node:
    """The box of a parameter or a buffer that joins the flow."""
    facts = (units.shape(shape), f"{math.prod(shape):,} values")
    label = label.replace("_", " ")
    return Node(id=name, label=label, kind="parameter", facts=facts, figures=figures)


def _label(call: Call) -> str:
    kind = call.body.kind
    if kind == "Sequential":
        return call.name.rpartition(".")[2]
    return SIGNS.get(kind, kind if call.body.is_module else kind.replace("_", " "))


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
