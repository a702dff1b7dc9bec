"""The terms of a single layer or operation: what its weights, its products and its activations are.

Each is told in the letters of the axes where these are known (`Axes`), else in torch's own words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from studio.analysis.cost.connectivity import ATTENTION
from studio.analysis.inspect.formulas.formula import Factor, Names, Term, bracketed, number, sized
from studio.analysis.trace.tree import Body, Shape

MAPS = {1: ("L",), 2: ("H", "W"), 3: ("T", "H", "W")}
SIDES = {1: ("k",), 2: ("k_h", "k_w"), 3: ("k_t", "k_h", "k_w")}
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = tuple(name.replace("conv", "conv_transpose") for name in CONVOLUTIONS)
GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
TENSOR = re.compile(r"(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?")


class Axes(NamedTuple):
    """The names of the axes of what flows in and out, tensor by tensor; empty where unknown."""

    inputs: tuple[Names, ...] = ()
    outputs: tuple[Names, ...] = ()

    def into(self, axis: int, other: str) -> str:
        return _name(self.inputs, axis, other)

    def out(self, axis: int, other: str) -> str:
        return _name(self.outputs, axis, other)


NO_AXES = Axes()


def weights(body: Body, axes: Axes = NO_AXES) -> tuple[Term, ...]:
    """The terms of a layer's own weights, of those alone that no layer before it holds."""
    tied = dict(body.tied)
    own = {name: shape for name, shape in body.weights if name not in tied}
    cls = body.cls or object
    if issubclass(cls, nn.RNNBase):
        return tuple(_recurrent(body, own))
    if issubclass(cls, (nn.LayerNorm, nn.GroupNorm, _BatchNorm)):
        return tuple(_norm(cls, own, axes))
    names = _symbols(body, axes)
    return tuple(
        Term(sized(shape, names[name]) if name in names else tuple(map(number, shape)), name)
        for name, shape in own.items()
    )


def _symbols(body: Body, axes: Axes) -> Mapping[str, Names]:
    """How the axes of its weights are called, by the names of the weights."""
    cls, shape = body.cls or object, dict(body.weights).get("weight", ())
    if issubclass(cls, nn.Linear):
        out = axes.out(-1, "out_features")
        return {"weight": (out, axes.into(-1, "in_features")), "bias": (out,)}
    if issubclass(cls, nn.Embedding):
        return {"weight": ("num_embeddings", axes.out(-1, "embedding_dim"))}
    if issubclass(cls, _ConvNd):
        return _of_filter(body, shape, axes, issubclass(cls, _ConvTransposeNd))
    return {}


def _of_filter(body: Body, shape: Shape, axes: Axes, transposed: bool) -> Mapping[str, Names]:
    """A filter is laid out as (out, in / groups, k, k); a transposed one the other way round."""
    out, into = axes.out(1, "C_out"), axes.into(1, "C_in")
    bias = (out,)
    channels = (body.outputs if transposed else body.inputs)[0][1]
    first, second = (into, out) if transposed else (out, into)
    groups = channels // shape[1]
    return {"weight": (first, _grouped(second, groups), *_sides(shape[2:])), "bias": bias}


def _grouped(channels: str, groups: int) -> str:
    return channels if groups == 1 else f"{channels}/groups"


def _sides(kernel: Shape) -> Names:
    square = len(set(kernel)) == 1
    return ("k",) * len(kernel) if square else SIDES.get(len(kernel), ("k",) * len(kernel))


def _norm(cls: type, own: Mapping[str, Shape], axes: Axes) -> Iterator[Term]:
    """A scale and a shift for each channel, or for each feature."""
    axis, word = (-1, "D") if issubclass(cls, nn.LayerNorm) else (1, "C")
    for shape, count in Counter(own.values()).items():
        names = (axes.into(axis, word),) if len(shape) == 1 else ("D",) * len(shape)
        both = (number(count),) if count > 1 else ()
        yield Term((*both, *sized(shape, names)), "scale and shift" if count > 1 else "scale")


def _recurrent(body: Body, own: Mapping[str, Shape]) -> Iterator[Term]:
    """Equal tensors of all layers and directions together: gates × H rows, as wide as what they
    read."""
    cls = body.cls or object
    gates = next(count for kind, count in GATES.items() if issubclass(cls, kind))
    found: Counter[tuple[str, str, bool, Shape]] = Counter()
    for name, shape in own.items():
        read = TENSOR.fullmatch(name)
        assert read is not None
        found[read[1], read[2], read[3] == "0", shape] += 1
    merged: Counter[tuple[str, str, Shape]] = Counter()
    for (kind, role, first, shape), count in found.items():
        merged[kind, "I" if role == "ih" and first else "P" if role == "hr" else "H", shape] += (
            count
        )
    for (kind, width, shape), count in merged.items():
        yield Term((*_many(count), *_matrix(width, shape, gates)), kind)


def _many(count: int) -> tuple[Factor, ...]:
    return (number(count),) if count > 1 else ()


def _matrix(width: str, shape: Shape, gates: int) -> Iterator[Factor]:
    """(gates · H, width), (gates · H), or the projection (P, H)."""
    if width == "P":
        yield from sized(shape, ("P", "H"))
        return
    if gates > 1:
        yield Factor("gates", gates)
    yield Factor("H", shape[0] // gates)
    if len(shape) > 1:
        yield Factor(width, shape[1])


def products(body: Body, axes: Axes = NO_AXES) -> tuple[Term, ...]:
    """The terms of a layer's or an operation's multiply-accumulates."""
    if not body.macs:
        return ()
    terms = tuple(_products(body, axes))
    if sum(term.value for term in terms) == body.macs:
        return terms
    return _contraction(body, axes)


def _products(body: Body, axes: Axes) -> Iterator[Term]:
    cls = body.cls or object
    if issubclass(cls, nn.RNNBase):
        yield from _steps(body, axes)
    elif issubclass(cls, nn.Linear):
        names = axes.outputs[0][:-1] if axes.outputs and axes.outputs[0] else ()
        rows = body.outputs[0][:-1]
        many = sized(rows, names) if names else (Factor("rows", math.prod(rows)),)
        symbols = _symbols(body, axes)["weight"]
        yield Term((*many, *sized(dict(body.weights)["weight"][::-1], symbols[::-1])))
    elif issubclass(cls, _ConvNd) or body.kind in (*CONVOLUTIONS, *TRANSPOSED):
        yield _filtered(body, axes)
    elif body.kind == ATTENTION:
        yield _attention(body, axes)


def _filtered(body: Body, axes: Axes) -> Term:
    """The filter, once for each pixel that it is laid at: of a transposed one those read, else
    those written."""
    cls = body.cls or object
    transposed = issubclass(cls, _ConvTransposeNd) or body.kind in TRANSPOSED
    shape = dict(body.weights)["weight"] if body.is_module else body.inputs[1]
    pixels, names = (body.inputs, axes.inputs) if transposed else (body.outputs, axes.outputs)
    batch, _, *sides = pixels[0]
    known = names[0] if names else ()
    mark = "" if transposed else "′"
    words = [name + mark for name in MAPS.get(len(sides), ("L",) * len(sides))]
    count = sized((batch, *sides), (known[0], *known[2:]) if known else ("B", *words))
    return Term((*count, *sized(shape, _of_filter(body, shape, axes, transposed)["weight"])))


def _attention(body: Body, axes: Axes) -> Term:
    """q kᵀ over d features, and its product with v over e: for each query, each key."""
    query, key, value = body.inputs[:3]
    around = ("B", "h") if len(query) == 4 else ("B",) * (len(query) - 2)
    rows = sized(query[:-2], axes.inputs[0][:-2] if axes.inputs and axes.inputs[0] else around)
    T, S, d, e = query[-2], key[-2], query[-1], value[-1]
    asked, answered = ("N", "N") if T == S else ("T", "S")
    asked, answered = axes.into(-2, asked), _name(axes.inputs[1:], -2, answered)
    width = axes.into(-1, "d")
    both = (number(2), Factor(width, d)) if d == e else (Factor(f"({width} + e)", d + e),)
    return Term((*rows, Factor(asked, T), Factor(answered, S), *both))


def _steps(body: Body, axes: Axes) -> Iterator[Term]:
    """Every matrix of the layer at every step of every sequence."""
    matrices = {name: shape for name, shape in body.weights if len(shape) > 1}
    steps = body.inputs[0][:-1]
    names = axes.inputs[0][:-1] if axes.inputs and axes.inputs[0] else ()
    many = sized(steps, names) if names else (Factor("steps", math.prod(steps)),)
    for term in _recurrent(body, matrices):
        yield Term((*many, *term.factors))


def _contraction(body: Body, axes: Axes) -> tuple[Term, ...]:
    """Of any other product: each value of the result is a sum over so many."""
    out = body.outputs[0]
    summed, left = divmod(body.macs, max(math.prod(out), 1))
    if left:
        return (Term((number(body.macs),)),)
    names = axes.outputs[0] if axes.outputs and axes.outputs[0] else ("B", *("n",) * (len(out) - 1))
    return (Term((*sized(out, names[: len(out)]), Factor("summed", summed))),)


def held(shape: Shape, size: int, names: Names, name: str) -> Term:
    """A tensor that stays in memory: bytes of a value, and the values; a larger one (of which it is
    a part) by its bytes."""
    each, left = divmod(size, max(math.prod(shape), 1))
    if left or each > 8:
        return Term((number(size),), name)
    axes = sized(shape, names) if names else tuple(map(number, shape))
    return Term((Factor("bytes", each), *axes), name)


def _name(known: Iterable[Names], axis: int, other: str) -> str:
    """What the first tensor's axis is called."""
    names = next(iter(known), ())
    return bracketed(names[axis]) if -len(names) <= axis < len(names) else other
