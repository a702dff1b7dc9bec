"""What stands on the boxes of a graph: names, signs, details, and facts for who looks closer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from studio.analysis import units
from studio.analysis.graph.disambiguation import UNTOLD, Told
from studio.analysis.names.dim_names import Ends, written
from studio.analysis.trace.tree import Body, Call, Shape
from studio.drawing.graph import Figures, Node

SIGNS = {
    "add": "+",
    "radd": "+",
    "sub": "−",
    "rsub": "−",
    "neg": "−",
    "mul": "×",
    "rmul": "×",
    "div": "÷",
    "truediv": "÷",
    "rtruediv": "÷",
    "matmul": "@",
    "gt": ">",
    "ge": "≥",
    "lt": "<",
    "le": "≤",
    "sqrt": "√",
    "square": "x²",
    "rsqrt": "1 / √x",
    "rpow": "power",
    "log2": "log₂",
    "amax": "max",
    "amin": "min",
    "maximum": "max",
    "minimum": "min",
    "prod": "product",
    "cumsum": "running sum",
    "var_mean": "variance, mean",
    "linalg_vector_norm": "‖x‖",
    "cat": "concat",
    "clamp": "clip",
    "where": "select",
    "getitem": "gather",
    "topk": "top k",
    "triu": "upper triangle",
    "embedding_bag": "weighted sum",
    "conv1d": "convolution",
    "conv2d": "convolution",
    "scaled_dot_product_attention": "softmax attention",
    "interpolate": "up-sample",
    "adaptive_avg_pool2d": "average pool",
}
CONSTANT = frozenset({"zeros_like", "ones_like", "full_like", "empty_like"})  # no value is taken
PLUMBING = frozenset(
    {"flatten", "Flatten", "long", "int", "double", "half", "bool"}
)  # copies and casts


def is_constant(body: Body, fed: bool) -> bool:
    """Whether an operation gives the same whatever the model is given: its result is no data."""
    return not body.is_module and (body.kind in CONSTANT or not fed)


def hands_on(body: Body) -> bool:
    """Whether a call computes nothing that would be worth a box: it hands on what it is given."""
    part = body.kind == "getitem" and len(body.inputs) == 1
    return body.transparent or part or body.kind in PLUMBING


def call_node(
    call: Call,
    name: str,
    repeat: int,
    figures: Figures,
    children: tuple[Node, ...],
    axes: Ends,
    row: str = "",
    told: Told = UNTOLD,
) -> Node:
    """The box of a call, and of its equal neighbours; `axes` are the names of what it takes and
    gives, `row` is how a composition calls it, `told` what tells it from its like."""
    body = call.body
    return Node(
        id=name,
        label=row or _label(call),
        detail=" · ".join(filter(None, (*told, _detail(body, repeat)))),
        name=told.name,
        kind="module" if body.is_module else "operation",
        repeat=repeat,
        facts=tuple(_facts(call, repeat, axes)),
        figures=figures,
        children=children,
    )


def distinct(nodes: Sequence[Node], sizes: Mapping[str, str]) -> tuple[Node, ...]:
    """Neighbours, of which those that would say the same of different things say the size of what
    they give too: `197 × 3072 · 2.36 M parameters`."""
    alike: dict[tuple[str, str, int], set[str]] = {}
    for node in nodes:
        alike.setdefault(_text(node), set()).add(sizes.get(node.id, ""))
    return tuple(
        replace(node, detail=_sized(node.detail, sizes[node.id]))
        if node.kind == "module" and len(alike[_text(node)]) > 1
        else node
        for node in nodes
    )


def _text(node: Node) -> tuple[str, str, int]:
    return node.label, node.detail, node.repeat


def _sized(detail: str, size: str) -> str:
    """With a size before the last of its words, the parameters."""
    *words, last = detail.split(" · ")
    return " · ".join(filter(None, (*words, size, last)))


def parameter_node(name: str, label: str, shape: Shape, figures: Figures) -> Node:
    """The box of a parameter or a buffer that joins the flow."""
    facts = (written(None, shape), f"{math.prod(shape):,} values")
    label = label.removesuffix(".weight").replace("_", " ")
    return Node(id=name, label=label, kind="parameter", facts=facts, figures=figures)


def _label(call: Call) -> str:
    kind = call.body.kind
    if kind == "Sequential":
        *_, holder, own = ("", *call.name.split("."))
        return f"{holder or 'block'} {own}" if own.isdigit() else own
    return SIGNS.get(kind, kind if call.body.is_module else kind.replace("_", " "))


def _detail(body: Body, repeat: int) -> str:
    if not body.params:
        return ""
    each = " each" if repeat > 1 else ""
    return f"{units.count(body.params)} parameters{each}"


def _facts(call: Call, repeat: int, axes: Ends) -> Iterator[str]:
    body = call.body
    yield call.name if repeat == 1 else f"{call.name} and the next {repeat - 1}, all alike"
    if body.settings:
        yield body.settings
    yield "in: " + ", ".join(map(written, axes.ins, body.inputs))
    yield "out: " + ", ".join(map(written, axes.outs, body.outputs))
    if body.params:
        yield f"{body.params:,} parameters" + (" each" if repeat > 1 else "")
    if body.macs:
        yield units.macs(body.macs) + (" each" if repeat > 1 else "")
