"""The texts on the nodes of a graph: labels, operator signs, details, and facts for a tooltip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from studio.analysis import units
from studio.analysis.graph.disambiguation import NO_LABEL, NodeLabel
from studio.analysis.names.dim_names import IODims, shape_text
from studio.analysis.trace.tree import Call, Shape, Trace
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
CONSTANT_OPS = frozenset({"zeros_like", "ones_like", "full_like", "empty_like"})  # use no values
CASTS = frozenset(
    {"flatten", "Flatten", "long", "int", "double", "half", "bool"}
)  # copies and casts


def is_constant(trace: Trace, fed: bool) -> bool:
    """Whether an operation's result does not depend on the input of the model."""
    return not trace.is_module and (trace.kind in CONSTANT_OPS or not fed)


def is_undrawn(trace: Trace) -> bool:
    """Whether a call computes nothing that deserves a node: it passes its input on."""
    part = trace.kind == "getitem" and len(trace.inputs) == 1
    return trace.is_passthrough or part or trace.kind in CASTS


def call_node(
    call: Call,
    name: str,
    repeat: int,
    figures: Figures,
    children: tuple[Node, ...],
    dims: IODims,
    title: str = "",
    label: NodeLabel = NO_LABEL,
) -> Node:
    """The node of a call and of its equal neighbours.

    `dims` are the dimension names of its inputs and outputs, `title` its title if it is a stage of
    a composition, `label` what distinguishes it from other nodes of its class.
    """
    trace = call.trace
    return Node(
        id=name,
        label=title or _label(call),
        detail=" · ".join(filter(None, (*label, _detail(trace, repeat)))),
        name=label.name,
        kind="module" if trace.is_module else "operation",
        repeat=repeat,
        facts=tuple(_facts(call, repeat, dims)),
        figures=figures,
        children=children,
    )


def add_sizes_where_equal(nodes: Sequence[Node], sizes: Mapping[str, str]) -> tuple[Node, ...]:
    """Nodes of one block; those with equal texts but different output sizes get the size as well:
    `197 × 3072 · 2.36 M parameters`."""
    alike: dict[tuple[str, str, int], set[str]] = {}
    for node in nodes:
        alike.setdefault(_text(node), set()).add(sizes.get(node.id, ""))
    return tuple(
        replace(node, detail=_with_size(node.detail, sizes[node.id]))
        if node.kind == "module" and len(alike[_text(node)]) > 1
        else node
        for node in nodes
    )


def _text(node: Node) -> tuple[str, str, int]:
    return node.label, node.detail, node.repeat


def _with_size(detail: str, size: str) -> str:
    """The detail with a size before its last part, the parameters."""
    *words, last = detail.split(" · ")
    return " · ".join(filter(None, (*words, size, last)))


def parameter_node(name: str, label: str, shape: Shape, figures: Figures) -> Node:
    """The node of a parameter or a buffer that is used directly."""
    facts = (shape_text(None, shape), f"{math.prod(shape):,} values")
    label = label.removesuffix(".weight").replace("_", " ")
    return Node(id=name, label=label, kind="parameter", facts=facts, figures=figures)


def _label(call: Call) -> str:
    kind = call.trace.kind
    if kind == "Sequential":
        *_, holder, own = ("", *call.name.split("."))
        return f"{holder or 'block'} {own}" if own.isdigit() else own
    return SIGNS.get(kind, kind if call.trace.is_module else kind.replace("_", " "))


def _detail(trace: Trace, repeat: int) -> str:
    if not trace.params:
        return ""
    each = " each" if repeat > 1 else ""
    return f"{units.count(trace.params)} parameters{each}"


def _facts(call: Call, repeat: int, dims: IODims) -> Iterator[str]:
    trace = call.trace
    yield call.name if repeat == 1 else f"{call.name} and the next {repeat - 1}, all alike"
    if trace.settings:
        yield trace.settings
    yield "in: " + ", ".join(map(shape_text, dims.ins, trace.inputs))
    yield "out: " + ", ".join(map(shape_text, dims.outs, trace.outputs))
    if trace.params:
        yield f"{trace.params:,} parameters" + (" each" if repeat > 1 else "")
    if trace.macs:
        yield units.macs(trace.macs) + (" each" if repeat > 1 else "")
