"""The formulas of a node's figures: of a layer from its shapes, of a block as the sum of its parts.

The totals are the figures on the node. What a sum of parts does not hold is a term of its own and
says what it is: parameters that no forward pass uses, what training alone keeps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from studio.analysis.cost.saved_tensors import Kept
from studio.analysis.graph.layer_graph import Use
from studio.analysis.inspect.formulas.formula import (
    Factor,
    Formula,
    Names,
    Term,
    number,
    part,
    rest,
)
from studio.analysis.inspect.formulas.layer_cost import NO_AXES, Axes, held, products, weights
from studio.analysis.trace.tree import Body, Named, Shape
from studio.drawing.graph import Figures, Node

VALUE_BYTES = 4  # float32
STATES = 4
ADAM = "(weight + gradient + 2 Adam moments)"
LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
BESIDE = "in training alone: dropout after it, copies in another layout"
MANY = 8  # parts that a sum tells one by one
Read = Callable[[Figures], int]


def parameters(node: Node, use: Use | None, axes: Axes = NO_AXES) -> Formula:
    """Of a block its parts, of a layer its weights, of a parameter its own shape. Each counts once:
    what an earlier layer holds is told in the note."""
    if node.children:
        found, each = parts(node, lambda f: f.params), node.figures.params // node.repeat
        return _rest(found, each, "that no forward pass uses")
    if use is None:
        return Formula((part("", node.figures.params),) if node.figures.params else ())
    body = use.call.body
    note = shared(node, body)
    if not node.figures.params:
        return Formula(note=note)
    return Formula(weights(body, axes), use.repeat, note)


def shared(node: Node, body: Body) -> str:
    """Where parameters are counted that this layer has, but not first."""
    if body.tied:
        return "; ".join(f"{name} is {first}, counted there" for name, first in body.tied)
    if body.params and not node.figures.params:
        return f"called again: counted at {re.sub(r'#[0-9]+', '', node.id)}"
    return ""


def of_tensor(shape: Shape, counted: bool, names: Names = ()) -> Formula:
    """A parameter that joins the flow; one that another node counts, or a buffer, is none here."""
    if not counted:
        return Formula(note="a constant, or counted where its layer is")
    factors = tuple(Factor(*pair) for pair in zip(names, shape, strict=True)) if names else ()
    return Formula((Term(factors or tuple(map(number, shape))),))


def macs(node: Node, use: Use | None, axes: Axes = NO_AXES) -> Formula:
    """Multiply-accumulates: of a block those of its parts, of a layer its products."""
    if node.children:
        return parts(node, lambda figures: figures.macs)
    return Formula(products(use.call.body, axes), use.repeat) if use else Formula()


def saved(node: Node, use: Use | None, axes: Axes = NO_AXES) -> Formula:
    """Bytes that stay for the backward pass: each tensor with the first node that keeps it. Of
    equal blocks the first may keep an input that the last one hands to the next, or not."""
    total = node.figures.saved_bytes
    if use is None or not use.kept:
        return _completed(Formula(), total, BESIDE)
    if not node.children:
        return _completed(_kept(use, axes), total, BESIDE)
    if node.repeat == 1:
        return _completed(parts(node, lambda figures: figures.saved_bytes), total, _beside(use))
    each = use.kept[-1][1].size
    inside = _rest(parts(node, lambda figures: figures.saved_bytes), each, _beside(use))
    first = total - each * use.repeat
    if not first:
        return inside
    word = "the first keeps more" if first > 0 else "what a node before keeps for the first"
    return Formula((*(_repeated(term, use.repeat) for term in inside.terms), rest(word, first)))


def memory(node: Node, use: Use | None) -> Formula:
    """Bytes in training with Adam: a weight, its gradient and two moments for each parameter that
    learns, the weight alone of one that does not, and the activations that it keeps."""
    figures = node.figures
    frozen = min(use.call.body.frozen * use.repeat, figures.params) if use else 0
    learned = figures.params - frozen
    each = (Factor(ADAM, STATES), Factor("bytes", VALUE_BYTES))
    terms = (
        Term((*each, Factor("parameters", learned)), "weights, gradients, two moments"),
        Term((Factor("bytes", VALUE_BYTES), Factor("frozen", frozen)), "frozen weights"),
        Term((Factor("saved activations", figures.saved_bytes),), "saved activations"),
    )
    return Formula(tuple(term for term in terms if term.value))


def parts(node: Node, read: Read) -> Formula:
    """The figures of the parts of a block; of equal blocks those of one, so often."""
    children = [child for child in node.children if read(child.figures)]
    return Formula(tuple(_told(node, children, read)), node.repeat)


def _rest(found: Formula, each: int, name: str) -> Formula:
    """With what the parts of a block lack to its figure."""
    left = each - sum(term.value for term in found.terms)
    return replace(found, terms=(*found.terms, rest(name, left))) if left else found


def _completed(found: Formula, total: int, name: str) -> Formula:
    """With what the terms lack to a figure; where that is something, without a factor for all."""
    left = total - found.total
    if not left:
        return found
    return replace(
        found,
        terms=(*(_repeated(term, found.times) for term in found.terms), rest(name, left)),
        times=1,
    )


def _repeated(term: Term, times: int) -> Term:
    return replace(term, factors=(number(times), *term.factors))


def _told(node: Node, children: list[Node], read: Read) -> Iterator[Term]:
    """The children one by one, or where there are many by the first word of their names."""
    if len(children) <= MANY:
        for child in children:
            yield part(local(node, child), read(child.figures), child.repeat)
        return
    for word, group in groupby(children, key=lambda child: local(node, child).partition(".")[0]):
        together = list(group)
        times = together[0].repeat if len(together) == 1 else 1
        name = local(node, together[0]) if len(together) == 1 else word
        yield part(name, sum(read(child.figures) for child in together), times)


def local(node: Node, child: Node) -> str:
    """A child's name within its block; of equal neighbours from the first to the last. A number
    alone would read as one of the figures: it is the index of the class."""
    name = child.id.removeprefix(f"{node.id}.")
    head, _, last = name.rpartition(".")
    if child.repeat > 1 and last.isdigit():
        name = f"{head}.{last}–{int(last) + child.repeat - 1}".lstrip(".")
    return name if head or not last.isdigit() else f"{child.label}{name.translate(LOW)}"


def _kept(use: Use, axes: Axes) -> Formula:
    """What a layer keeps: its output, inputs that none before it keeps, and what it makes."""
    runs = [(next(equal), key) for key, equal in groupby(use.kept, key=lambda kept: kept[1])]
    if len(runs) == 1:
        return Formula(tuple(_tensors(*use.kept[0], axes)), len(use.kept))
    return Formula(
        tuple(part("", kept.size) for _, kept in use.kept if kept.size),
        note="the first and those that follow it",
    )


def _tensors(body: Body, kept: Kept, axes: Axes) -> Iterator[Term]:
    made = tuple(_each("output", body.outputs, body.saved_outputs, axes.outputs))
    given = [kept.inputs.get(i, 0) for i in range(len(body.inputs))]
    inside = body.saved_bytes - sum(term.value for term in made)
    if inside < 0:  # several outputs are one tensor
        made, inside = (), body.saved_bytes
    yield from _each("input", body.inputs, given, axes.inputs)
    yield from made
    if inside:
        yield Term((number(inside),), _kept_inside(body, inside))


def _kept_inside(body: Body, size: int) -> str:
    """What bytes are that a layer makes and keeps, and that are neither input nor output: of a norm
    the mean and 1/σ of each group, which are fewer than the values they are of."""
    values = max((math.prod(shape) for shape in body.inputs), default=0)
    is_norm = "norm" in body.kind.lower() and size < VALUE_BYTES * values
    return "saved statistics" if is_norm else "temporaries"


def _each(
    name: str, shapes: tuple[Shape, ...], sizes: Iterable[int], axes: tuple[Names, ...]
) -> Iterator[Term]:
    for i, (shape, size) in enumerate(zip(shapes, sizes, strict=True)):
        if size:
            word = name if len(shapes) == 1 else f"{name}{str(i + 1).translate(LOW)}"
            yield held(shape, size, axes[i] if i < len(axes) else (), word)


def _beside(use: Use) -> str:
    """What a block keeps beside its parts: what runs in training alone (masks of dropout,
    auxiliary heads), else copies of what flows from part to part."""
    drawn = {call.name for call in use.call.body.calls if not call.body.transparent}
    calls = use.kept[-1][0].calls
    alone = {c.body.kind: None for c in calls if c.body.saved_bytes and c.name not in drawn}
    return f"in training alone: {', '.join(alone)}" if alone else "copies in another layout"


def tensor_shapes(root: Body, uses: Mapping[str, Use]) -> dict[str, Shape]:
    """The shapes of all parameters and buffers that may join the flow, by their nodes' ids."""
    found: dict[str, Shape] = {}
    for path, body in (("", root), *((f"{name}.", use.call.body) for name, use in uses.items())):
        own: Named = (*body.weights, *body.buffers)
        found |= {f"{path}{name}": shape for name, shape in own}
        found |= dict(body.borrowed)
    return found
