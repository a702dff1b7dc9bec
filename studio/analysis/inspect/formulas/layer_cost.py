"""The terms of one layer or operation: parameters, multiply-accumulates and saved tensors.

In the letters of the dimensions if these are known (`LayerDims`), else in torch's argument names.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from torch import nn

from studio.analysis.inspect.formulas.formula import (
    Factor,
    Names,
    Term,
    bracket,
    dim_factors,
    number,
)
from studio.analysis.torch_private import BatchNorm, Convolution, TransposedConvolution
from studio.analysis.trace.tree import ATTENTION, Shape, Trace

MAP_DIMS = {1: ("L",), 2: ("H", "W"), 3: ("T", "H", "W")}
KERNEL_SYMBOLS = {1: ("k",), 2: ("k_h", "k_w"), 3: ("k_t", "k_h", "k_w")}
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = tuple(name.replace("conv", "conv_transpose") for name in CONVOLUTIONS)
GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
TENSOR = re.compile(r"(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?")


class LayerDims(NamedTuple):
    """Dimension names of inputs and outputs, tensor by tensor; empty if unknown."""

    inputs: tuple[Names, ...] = ()
    outputs: tuple[Names, ...] = ()

    def into(self, dim: int, other: str) -> str:
        return _name(self.inputs, dim, other)

    def out(self, dim: int, other: str) -> str:
        return _name(self.outputs, dim, other)


NO_DIMS = LayerDims()


def weight_terms(trace: Trace, dims: LayerDims = NO_DIMS) -> tuple[Term, ...]:
    """The terms of a layer's own parameters, without those that an earlier layer holds."""
    tied = dict(trace.tied)
    own = {name: shape for name, shape in trace.weights if name not in tied}
    cls = trace.cls or object
    if issubclass(cls, nn.RNNBase):
        return tuple(_recurrent_terms(trace, own))
    if issubclass(cls, (nn.LayerNorm, nn.GroupNorm, BatchNorm)):
        return tuple(_norm_terms(cls, own, dims))
    names = _symbols(trace, dims)
    return tuple(
        Term(dim_factors(shape, names[name]) if name in names else tuple(map(number, shape)), name)
        for name, shape in own.items()
    )


def _symbols(trace: Trace, dims: LayerDims) -> Mapping[str, Names]:
    """The dimension names of its parameters, by parameter name."""
    cls, shape = trace.cls or object, dict(trace.weights).get("weight", ())
    if issubclass(cls, nn.Linear):
        out = dims.out(-1, "out_features")
        return {"weight": (out, dims.into(-1, "in_features")), "bias": (out,)}
    if issubclass(cls, nn.Embedding):
        return {"weight": ("num_embeddings", dims.out(-1, "embedding_dim"))}
    if issubclass(cls, Convolution):
        return _filter_symbols(trace, shape, dims, issubclass(cls, TransposedConvolution))
    return {}


def _filter_symbols(
    trace: Trace, shape: Shape, dims: LayerDims, transposed: bool
) -> Mapping[str, Names]:
    """A kernel has the shape (out, in / groups, k, k); a transposed one swaps the first two."""
    out, into = dims.out(1, "C_out"), dims.into(1, "C_in")
    bias = (out,)
    channels = (trace.outputs if transposed else trace.inputs)[0][1]
    first, second = (into, out) if transposed else (out, into)
    groups = channels // shape[1]
    return {
        "weight": (first, _per_group(second, groups), *_kernel_symbols(shape[2:])),
        "bias": bias,
    }


def _per_group(channels: str, groups: int) -> str:
    return channels if groups == 1 else f"{channels}/groups"


def _kernel_symbols(kernel: Shape) -> Names:
    square = len(set(kernel)) == 1
    return ("k",) * len(kernel) if square else KERNEL_SYMBOLS.get(len(kernel), ("k",) * len(kernel))


def _norm_terms(cls: type, own: Mapping[str, Shape], dims: LayerDims) -> Iterator[Term]:
    """A scale and a shift for each channel or feature."""
    dim, word = (-1, "D") if issubclass(cls, nn.LayerNorm) else (1, "C")
    for shape, count in Counter(own.values()).items():
        names = (dims.into(dim, word),) if len(shape) == 1 else ("D",) * len(shape)
        both = (number(count),) if count > 1 else ()
        yield Term((*both, *dim_factors(shape, names)), "scale and shift" if count > 1 else "scale")


def _recurrent_terms(trace: Trace, own: Mapping[str, Shape]) -> Iterator[Term]:
    """Equal tensors of all layers and directions together: gates × H rows, as wide as their
    input."""
    cls = trace.cls or object
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
        yield Term((*_count_factor(count), *_matrix_factors(width, shape, gates)), kind)


def _count_factor(count: int) -> tuple[Factor, ...]:
    return (number(count),) if count > 1 else ()


def _matrix_factors(width: str, shape: Shape, gates: int) -> Iterator[Factor]:
    """(gates · H, width), (gates · H), or the projection (P, H)."""
    if width == "P":
        yield from dim_factors(shape, ("P", "H"))
        return
    if gates > 1:
        yield Factor("gates", gates)
    yield Factor("H", shape[0] // gates)
    if len(shape) > 1:
        yield Factor(width, shape[1])


def mac_terms(trace: Trace, dims: LayerDims = NO_DIMS) -> tuple[Term, ...]:
    """The terms of a layer's or an operation's multiply-accumulates."""
    if not trace.macs:
        return ()
    terms = tuple(_mac_terms(trace, dims))
    if sum(term.value for term in terms) == trace.macs:
        return terms
    return _contraction_term(trace, dims)


def _mac_terms(trace: Trace, dims: LayerDims) -> Iterator[Term]:
    cls = trace.cls or object
    if issubclass(cls, nn.RNNBase):
        yield from _recurrent_mac_terms(trace, dims)
    elif issubclass(cls, nn.Linear):
        names = dims.outputs[0][:-1] if dims.outputs and dims.outputs[0] else ()
        rows = trace.outputs[0][:-1]
        many = dim_factors(rows, names) if names else (Factor("rows", math.prod(rows)),)
        symbols = _symbols(trace, dims)["weight"]
        yield Term((*many, *dim_factors(dict(trace.weights)["weight"][::-1], symbols[::-1])))
    elif issubclass(cls, Convolution) or trace.kind in (*CONVOLUTIONS, *TRANSPOSED):
        yield _convolution_term(trace, dims)
    elif trace.kind == ATTENTION:
        yield _attention_term(trace, dims)


def _convolution_term(trace: Trace, dims: LayerDims) -> Term:
    """The kernel, once for each output pixel; of a transposed convolution, for each input pixel."""
    cls = trace.cls or object
    transposed = issubclass(cls, TransposedConvolution) or trace.kind in TRANSPOSED
    shape = dict(trace.weights)["weight"] if trace.is_module else trace.inputs[1]
    pixels, names = (trace.inputs, dims.inputs) if transposed else (trace.outputs, dims.outputs)
    batch, _, *sides = pixels[0]
    known = names[0] if names else ()
    mark = "" if transposed else "′"
    words = [name + mark for name in MAP_DIMS.get(len(sides), ("L",) * len(sides))]
    count = dim_factors((batch, *sides), (known[0], *known[2:]) if known else ("B", *words))
    return Term(
        (*count, *dim_factors(shape, _filter_symbols(trace, shape, dims, transposed)["weight"]))
    )


def _attention_term(trace: Trace, dims: LayerDims) -> Term:
    """q kᵀ over d features, and its product with v over e features: for each query and key."""
    query, key, value = trace.inputs[:3]
    around = ("B", "h") if len(query) == 4 else ("B",) * (len(query) - 2)
    rows = dim_factors(
        query[:-2], dims.inputs[0][:-2] if dims.inputs and dims.inputs[0] else around
    )
    T, S, d, e = query[-2], key[-2], query[-1], value[-1]
    asked, answered = ("N", "N") if T == S else ("T", "S")
    asked, answered = dims.into(-2, asked), _name(dims.inputs[1:], -2, answered)
    width = dims.into(-1, "d")
    both = (number(2), Factor(width, d)) if d == e else (Factor(f"({width} + e)", d + e),)
    return Term((*rows, Factor(asked, T), Factor(answered, S), *both))


def _recurrent_mac_terms(trace: Trace, dims: LayerDims) -> Iterator[Term]:
    """Every matrix of the layer at every step of every sequence."""
    matrices = {name: shape for name, shape in trace.weights if len(shape) > 1}
    steps = trace.inputs[0][:-1]
    names = dims.inputs[0][:-1] if dims.inputs and dims.inputs[0] else ()
    many = dim_factors(steps, names) if names else (Factor("steps", math.prod(steps)),)
    for term in _recurrent_terms(trace, matrices):
        yield Term((*many, *term.factors))


def _contraction_term(trace: Trace, dims: LayerDims) -> tuple[Term, ...]:
    """Any other product: each output value is a sum of equally many products."""
    out = trace.outputs[0]
    summed, left = divmod(trace.macs, max(math.prod(out), 1))
    if left:
        return (Term((number(trace.macs),)),)
    names = dims.outputs[0] if dims.outputs and dims.outputs[0] else ("B", *("n",) * (len(out) - 1))
    return (Term((*dim_factors(out, names[: len(out)]), Factor("summed", summed))),)


def saved_term(shape: Shape, size: int, names: Names, name: str) -> Term:
    """A saved tensor: bytes per value times its values; if it is part of a larger one, the bytes of
    that."""
    each, left = divmod(size, max(math.prod(shape), 1))
    if left or each > 8:
        return Term((number(size),), name)
    dims = dim_factors(shape, names) if names else tuple(map(number, shape))
    return Term((Factor("bytes", each), *dims), name)


def _name(known: Iterable[Names], dim: int, other: str) -> str:
    """The name of the first tensor's dimension."""
    names = next(iter(known), ())
    return bracket(names[dim]) if -len(names) <= dim < len(names) else other
