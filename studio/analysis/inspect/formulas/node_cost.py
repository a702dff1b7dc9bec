"""The formulas of a node's costs: of a layer from its shapes, of a block as the sum of its parts.

The totals are the costs on the node. What the sum of parts does not include is a term of its own
that says what it is: parameters that no forward pass uses, tensors saved in training only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from studio.analysis.cost.op_costs import VALUE_BYTES
from studio.analysis.cost.saves_per_call import CallSaves
from studio.analysis.graph.layer_graph import NodeUse
from studio.analysis.inspect.formulas.formula import (
    Factor,
    Formula,
    Names,
    Term,
    number,
    part,
    remainder,
)
from studio.analysis.inspect.formulas.layer_cost import (
    NO_DIMS,
    LayerDims,
    mac_terms,
    saved_term,
    weight_terms,
)
from studio.analysis.trace.tree import NamedShapes, Shape, Trace
from studio.drawing.graph import Figures, Node

STATES = 4
ADAM = "(weight + gradient + 2 Adam moments)"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
TRAINING_ONLY = "in training only: dropout after it, copies in another layout"
MAX_PARTS = 8  # parts listed one by one in a sum
Read = Callable[[Figures], int]


def parameter_formula(node: Node, use: NodeUse | None, dims: LayerDims = NO_DIMS) -> Formula:
    """Of a block its parts, of a layer its weights, of a parameter its shape. Each counts once; the
    note says if an earlier layer holds it."""
    if node.children:
        found, each = sum_of_parts(node, lambda f: f.params), node.figures.params // node.repeat
        return _with_remainder(found, each, "that no forward pass uses")
    if use is None:
        return Formula((part("", node.figures.params),) if node.figures.params else ())
    trace = use.call.trace
    note = shared_note(node, trace)
    if not node.figures.params:
        return Formula(note=note)
    return Formula(weight_terms(trace, dims), use.repeat, note)


def shared_note(node: Node, trace: Trace) -> str:
    """Where the layer's parameters are counted, if not here."""
    if trace.tied:
        return "; ".join(f"{name} is {first}, counted there" for name, first in trace.tied)
    if trace.params and not node.figures.params:
        return f"called again: counted at {re.sub(r'#[0-9]+', '', node.id)}"
    return ""


def tensor_formula(shape: Shape, counted: bool, names: Names = ()) -> Formula:
    """A parameter that is used directly; 0 for a buffer, and for one that is counted elsewhere."""
    if not counted:
        return Formula(note="a constant, or counted where its layer is")
    factors = tuple(Factor(*pair) for pair in zip(names, shape, strict=True)) if names else ()
    return Formula((Term(factors or tuple(map(number, shape))),))


def mac_formula(node: Node, use: NodeUse | None, dims: LayerDims = NO_DIMS) -> Formula:
    """Multiply-accumulates: of a block those of its parts, of a layer its products."""
    if node.children:
        return sum_of_parts(node, lambda figures: figures.macs)
    return Formula(mac_terms(use.call.trace, dims), use.repeat) if use else Formula()


def saved_formula(node: Node, use: NodeUse | None, dims: LayerDims = NO_DIMS) -> Formula:
    """Bytes saved for the backward pass: each tensor with the first node that saves it. The first
    of several repeated blocks may also save its input, or not need to; the difference is a term of
    its own."""
    total = node.figures.saved_bytes
    if use is None or not use.saved:
        return _completed_to(Formula(), total, TRAINING_ONLY)
    if not node.children:
        return _completed_to(_saved_by_layer(use, dims), total, TRAINING_ONLY)
    if node.repeat == 1:
        return _completed_to(
            sum_of_parts(node, lambda figures: figures.saved_bytes), total, _unboxed_note(use)
        )
    each = use.saved[-1][1].nbytes
    inside = _with_remainder(
        sum_of_parts(node, lambda figures: figures.saved_bytes), each, _unboxed_note(use)
    )
    first = total - each * use.repeat
    if not first:
        return inside
    word = "the first saves more" if first > 0 else "saved by an earlier node for the first"
    return Formula(
        (*(_repeat_term(term, use.repeat) for term in inside.terms), remainder(word, first))
    )


def memory_formula(node: Node, use: NodeUse | None) -> Formula:
    """Bytes in training with Adam: weight, gradient and two moments for each trained parameter, the
    weight only for a frozen one, and the saved activations."""
    figures = node.figures
    frozen = min(use.call.trace.frozen_params * use.repeat, figures.params) if use else 0
    learned = figures.params - frozen
    each = (Factor(ADAM, STATES), Factor("bytes", VALUE_BYTES))
    terms = (
        Term((*each, Factor("parameters", learned)), "weights, gradients, two moments"),
        Term((Factor("bytes", VALUE_BYTES), Factor("frozen", frozen)), "frozen weights"),
        Term((Factor("saved activations", figures.saved_bytes),), "saved activations"),
    )
    return Formula(tuple(term for term in terms if term.value))


def sum_of_parts(node: Node, read: Read) -> Formula:
    """The costs of the parts of a block; for repeated blocks, of one, times their number."""
    children = [child for child in node.children if read(child.figures)]
    return Formula(tuple(_part_terms(node, children, read)), node.repeat)


def _with_remainder(found: Formula, each: int, name: str) -> Formula:
    """With a term for what the parts lack."""
    left = each - sum(term.value for term in found.terms)
    return replace(found, terms=(*found.terms, remainder(name, left))) if left else found


def _completed_to(found: Formula, total: int, name: str) -> Formula:
    """With a term for what the terms lack; the common factor is then expanded."""
    left = total - found.total
    if not left:
        return found
    return replace(
        found,
        terms=(*(_repeat_term(term, found.times) for term in found.terms), remainder(name, left)),
        times=1,
    )


def _repeat_term(term: Term, times: int) -> Term:
    return replace(term, factors=(number(times), *term.factors))


def _part_terms(node: Node, children: list[Node], read: Read) -> Iterator[Term]:
    """The children one by one; many are grouped by the first word of their names."""
    if len(children) <= MAX_PARTS:
        for child in children:
            yield part(local_name(node, child), read(child.figures), child.repeat)
        return
    for word, group in groupby(
        children, key=lambda child: local_name(node, child).partition(".")[0]
    ):
        together = list(group)
        times = together[0].repeat if len(together) == 1 else 1
        name = local_name(node, together[0]) if len(together) == 1 else word
        yield part(name, sum(read(child.figures) for child in together), times)


def local_name(node: Node, child: Node) -> str:
    """A child's name within its block; for equal neighbours from the first to the last. A number
    alone would read as a cost, so it is written as an index of the class."""
    name = child.id.removeprefix(f"{node.id}.")
    head, _, last = name.rpartition(".")
    if child.repeat > 1 and last.isdigit():
        name = f"{head}.{last}–{int(last) + child.repeat - 1}".lstrip(".")
    return name if head or not last.isdigit() else f"{child.label}{name.translate(SUBSCRIPTS)}"


def _saved_by_layer(use: NodeUse, dims: LayerDims) -> Formula:
    """What a layer saves: its output, inputs that no earlier layer saves, and internal tensors."""
    runs = [(next(equal), key) for key, equal in groupby(use.saved, key=lambda saves: saves[1])]
    if len(runs) == 1:
        return Formula(tuple(_saved_tensor_terms(*use.saved[0], dims)), len(use.saved))
    return Formula(
        tuple(part("", saves.nbytes) for _, saves in use.saved if saves.nbytes),
        note="the first and those that follow it",
    )


def _saved_tensor_terms(trace: Trace, saves: CallSaves, dims: LayerDims) -> Iterator[Term]:
    made = tuple(_tensor_terms("output", trace.outputs, trace.saved_outputs, dims.outputs))
    given = [saves.inputs.get(i, 0) for i in range(len(trace.inputs))]
    inside = trace.saved_bytes - sum(term.value for term in made)
    if inside < 0:  # several outputs are views of one tensor
        made, inside = (), trace.saved_bytes
    yield from _tensor_terms("input", trace.inputs, given, dims.inputs)
    yield from made
    if inside:
        yield Term((number(inside),), _internal_name(trace, inside))


def _internal_name(trace: Trace, size: int) -> str:
    """What the bytes of internal tensors are: for a norm, mean and 1/σ of each group, which are
    fewer than the values."""
    values = max((math.prod(shape) for shape in trace.inputs), default=0)
    is_norm = "norm" in trace.kind.lower() and size < VALUE_BYTES * values
    return "saved statistics" if is_norm else "temporaries"


def _tensor_terms(
    name: str, shapes: tuple[Shape, ...], sizes: Iterable[int], dims: tuple[Names, ...]
) -> Iterator[Term]:
    for i, (shape, size) in enumerate(zip(shapes, sizes, strict=True)):
        if size:
            word = name if len(shapes) == 1 else f"{name}{str(i + 1).translate(SUBSCRIPTS)}"
            yield saved_term(shape, size, dims[i] if i < len(dims) else (), word)


def _unboxed_note(use: NodeUse) -> str:
    """What a block saves besides its parts: what runs in training only (dropout masks, auxiliary
    heads), else copies between parts."""
    drawn = {call.name for call in use.call.trace.calls if not call.trace.is_passthrough}
    calls = use.saved[-1][0].calls
    alone = {c.trace.kind: None for c in calls if c.trace.saved_bytes and c.name not in drawn}
    return f"in training only: {', '.join(alone)}" if alone else "copies in another layout"


def tensor_shapes(root: Trace, uses: Mapping[str, NodeUse]) -> dict[str, Shape]:
    """The shapes of all parameters and buffers that may be used directly, by node id."""
    found: dict[str, Shape] = {}
    for path, trace in (("", root), *((f"{name}.", use.call.trace) for name, use in uses.items())):
        own: NamedShapes = (*trace.weights, *trace.buffers)
        found |= {f"{path}{name}": shape for name, shape in own}
        found |= dict(trace.external_tensors)
    return found
