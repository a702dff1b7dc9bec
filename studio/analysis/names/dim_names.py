"""Names for tensor dimensions: (B, N, D), as the source of a network states them.

Each forward has its own letters. Sources, in this order: its comments and docstrings, then the
input of a layer that keeps the shape, then the docstring of the called module, then what is usual
for a layer of its kind. A name is checked before it is shown: rank, numbers and terms must fit, and
a letter means one size within one forward. Another size in place of a letter gets a prime, as in
the sources: C' is another number of channels than C. If a name of a dimension cannot be true, its
tensor has no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from studio.analysis.names.shape_comments import (
    NO_SHAPES,
    REST,
    DimNames,
    Lines,
    StatedShapes,
    Statement,
    evaluate,
    stated_shapes,
)
from studio.analysis.trace.tree import INPUT, Call, Shape, Source, Trace

Dims = DimNames | None
LETTER = re.compile(r"[^\W\d]\w*")
WORDY = re.compile(r"\w{3,}.*[·*/]|[·*/].*\w{3,}")  # a term of words is too long to show
MAP, SERIES = ("B", "C", "H", "W"), ("B", "C", "T")
USUAL = {
    **dict.fromkeys(("Conv2d", "ConvTranspose2d", "conv2d", "BatchNorm2d", "batch_norm"), MAP),
    **dict.fromkeys(("MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "interpolate"), MAP),
    **dict.fromkeys(("Conv1d", "conv1d"), SERIES),
    "Embedding": ("B", "N", "D"),
}


class IODims(NamedTuple):
    """The dimension names of all inputs and of all outputs of a call or trace; None for a tensor
    without names."""

    ins: tuple[Dims, ...]
    outs: tuple[Dims, ...]


class ForwardDims(NamedTuple):
    """The dimension names within one forward: of its own inputs and outputs, and of those of each
    call."""

    own: IODims
    calls: tuple[IODims, ...]


def no_dims(trace: Trace) -> IODims:
    return IODims((None,) * len(trace.inputs), (None,) * len(trace.outputs))


def shape_text(dims: Dims, shape: Shape) -> str:
    """(B, N, D) = (1, 197, 768); the numbers only if the dimensions have no names."""
    numbers = _tuple_text(map(str, shape))
    names = (name.replace("**", "^").replace("*", "·") for name in dims or ())
    return f"{_tuple_text(names)} = {numbers}" if dims and shape else numbers


def _tuple_text(sizes: Iterable[str]) -> str:
    text = ", ".join(sizes)
    return f"({text})" if text else ""


def is_letter(name: str) -> bool:
    """Whether a name is a letter that means one size within a forward: no number, term or prime."""
    return name.isidentifier()


@dataclass
class DimLetters:
    """What the letters mean within one forward; `first_lines` is the line where each was first
    used."""

    sizes: dict[str, int] = field(default_factory=dict)
    first_lines: dict[str, int] = field(default_factory=dict)

    def bind(self, dims: Dims, shape: Shape, line: int = 0, loop: Lines | None = None) -> bool:
        """Whether these can be the dimensions of a shape. If so, their letters mean its sizes from
        now on. A letter first used in a loop may change from iteration to iteration."""
        meant = self._bindings(dims, shape, loop)
        if meant is None or dims is None:
            return False
        for name, size in zip(dims, shape, strict=True):
            if is_letter(name):
                self.sizes[name] = size
                self.first_lines.setdefault(name, line)
        return True

    def fits(self, dims: Dims, shape: Shape) -> bool:
        """Whether these can be the dimensions of a shape; learns nothing."""
        return self._bindings(dims, shape, None) is not None

    def _bindings(self, dims: Dims, shape: Shape, loop: Lines | None) -> dict[str, int] | None:
        """What the letters mean if these are the dimensions of a shape; None if they cannot be."""
        if dims is None or len(dims) != len(shape) or REST in dims:
            return None
        meant = dict(self.sizes)
        if loop:
            meant = {
                k: n for k, n in meant.items() if not loop.first < self.first_lines[k] <= loop.last
            }
        pairs = tuple(zip(dims, shape, strict=True))
        if any(is_letter(name) and meant.setdefault(name, size) != size for name, size in pairs):
            return None
        terms = ((name, size) for name, size in pairs if not is_letter(name))
        return meant if all(evaluate(name, meant) in (None, size) for name, size in terms) else None

    def adapt(self, dims: Dims, shape: Shape) -> Dims:
        """Names from elsewhere in the letters of this forward, other sizes with a prime; None if
        they cannot be true."""
        if dims is None or len(dims) != len(shape) or REST in dims:
            return None
        found: list[str] = []
        for name, size in zip(dims, shape, strict=True):
            short = self._name(name, size)
            if short is None:
                return None
            found.append(short)
        # One letter for two dimensions of different sizes (S, S): rejected by `bind`.
        return tuple(found) if self.bind(tuple(found), shape) else None

    def _name(self, name: str, size: int) -> str | None:
        if name.isdigit():
            return name if int(name) == size else None
        if WORDY.search(name):
            return None
        if is_letter(name):
            return name if self.sizes.get(name, size) == size else f"{name}'"
        return name if evaluate(name, self.sizes) in (None, size) else self.primed(name, size)

    def primed(self, name: str, size: int) -> str | None:
        """The name for another size in place of a name."""
        letter = LETTER.search(name)
        if size == 1 or letter is None:
            return str(size) if size == 1 else None
        return letter[0] if self.sizes.get(letter[0]) == size else f"{letter[0]}'"

    def carry(self, dims: Dims, given: Shape, made: Shape) -> Dims:
        """The names of an output from those of an input of the same rank."""
        if dims is None or len(given) != len(made):
            return None
        names = (
            name if a == b else self.primed(name, b)
            for name, a, b in zip(dims, given, made, strict=True)
        )
        found = [name for name in names if name is not None]
        return tuple(found) if len(found) == len(made) else None


@dataclass(frozen=True)
class _Forward:
    """One forward: its trace, the names its caller has for its inputs and outputs, what its source
    states, and the letters that have a meaning so far."""

    trace: Trace
    outside: IODims
    stated: StatedShapes
    letters: DimLetters = field(default_factory=DimLetters)

    def shape(self, source: Source) -> Shape:
        """The shape that a tensor had where it was computed."""
        if source.call == INPUT:
            return self.trace.inputs[source.output]
        return self.trace.calls[source.call].trace.outputs[source.output]

    def exact(self, choice: Iterable[Dims], shape: Shape) -> Dims:
        """The first of some names in the letters of this forward that is true as it stands."""
        short = (dims for dims in choice if dims and not any(map(WORDY.search, dims)))
        return next((dims for dims in short if self.letters.bind(dims, shape)), None)

    def adapted(self, choice: Iterable[Dims], shape: Shape) -> Dims:
        """The first of some names from elsewhere that fits."""
        fits = (self.letters.adapt(dims, shape) for dims in choice)
        return next((dims for dims in fits if dims), None)


@dataclass(frozen=True)
class _Known:
    """The names of the inputs, those that comments state by call and output, and the documented
    names of the outputs by their source."""

    inputs: tuple[Dims, ...]
    commented: Mapping[tuple[int, int], Dims]
    documented: Mapping[Source | str | None, Dims]


def name_dims(trace: Trace, outside: IODims) -> ForwardDims:
    """The dimension names within a trace. `outside` are the names that its caller has for its
    inputs and outputs, which a Sequential, having no source of its own, takes over."""
    forward = _Forward(trace, outside, _stated(trace))
    documented = [
        forward.exact(_documented_inputs(forward, i), shape) for i, shape in enumerate(trace.inputs)
    ]
    statements = [forward.stated.lines.get(call.line) for call in trace.calls]
    commented = _commented(forward, statements)
    inputs = tuple(
        dims or forward.adapted((around, *_in_first_callee(trace, i)), shape)
        for i, (dims, around, shape) in enumerate(
            zip(documented, outside.ins, trace.inputs, strict=True)
        )
    )
    known = _Known(inputs, commented, _documented_outputs(forward))
    calls: list[IODims] = []
    for number, statement in enumerate(statements):
        ins = tuple(_call_inputs(forward, known, calls, number, statement))
        calls.append(IODims(ins, tuple(_call_outputs(forward, known, number, ins))))
    outputs = tuple(
        forward.exact((_since_computed(forward, known, calls, source, shape), dims), shape)
        for source, shape in zip(trace.returns, trace.outputs, strict=True)
        for dims in [known.documented[source]]
    )
    return ForwardDims(IODims(inputs, outputs), tuple(calls))


def _commented(
    forward: _Forward, statements: Sequence[Statement | None]
) -> dict[tuple[int, int], Dims]:
    """The names stated beside the lines of a forward, by call and output."""
    found: dict[tuple[int, int], Dims] = {}
    for statement, numbers in groupby(range(len(statements)), statements.__getitem__):
        if statement and statement.dims:
            for number, output in _described(forward.trace, statement, tuple(numbers)):
                shape = forward.trace.calls[number].trace.outputs[output]
                if forward.letters.bind(statement.dims, shape, statement.first, statement.loop):
                    found[number, output] = statement.dims
    return found


def _described(
    trace: Trace, statement: Statement, numbers: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The outputs that the comment of a line describes, by call and output: those of its last call,
    and of earlier calls with the same shape. If the line ends with a view, only if that is a call
    of its own, being a copy."""
    calls = trace.calls
    if statement.view not in ("", calls[numbers[-1]].trace.kind):
        return
    is_alone = statement.calls == 1 and statement.loop is not None
    shape = calls[numbers[-1]].trace.outputs[:1]
    for number in reversed(numbers):
        outputs = calls[number].trace.outputs
        if is_alone or outputs[:1] == shape:
            yield from ((number, i) for i in range(len(outputs) if statement.for_each else 1))


def _documented_inputs(forward: _Forward, i: int) -> Sequence[DimNames]:
    """What the docstring may say about an input; about a single one perhaps in several forms, as
    tokens (B, T) or features (B, T, F)."""
    stated, shapes = forward.stated.documented.inputs, forward.trace.inputs
    if len(shapes) == 1:
        return [dims for dims in stated if len(dims) == len(shapes[i]) or len(stated) == 1]
    if len(stated) == len(shapes):
        return stated[i : i + 1]
    return stated if len(stated) == 1 else ()


def _in_first_callee(trace: Trace, i: int) -> Iterator[Dims]:
    """The name that the first module to use an input has for it."""
    source = Source(INPUT, i)
    first = next((call for call in trace.calls if source in call.sources), None)
    if first and first.trace.calls:
        inside = name_dims(first.trace, no_dims(first.trace))
        yield inside.own.ins[first.sources.index(source)]


def _documented_outputs(forward: _Forward) -> dict[Source | str | None, Dims]:
    """What the docstring says about the outputs, by where they are computed."""
    stated, trace = forward.stated.documented.outputs, forward.trace
    return {source: _nth(stated, i, len(trace.outputs)) for i, source in enumerate(trace.returns)}


def _since_computed(
    forward: _Forward,
    known: _Known,
    calls: Sequence[IODims],
    source: Source | str | None,
    shape: Shape,
) -> Dims:
    """The names that a tensor has had since it was computed, if it still has its shape."""
    if not isinstance(source, Source) or forward.shape(source) != shape:
        return None
    names = known.inputs if source.call == INPUT else calls[source.call].outs
    return names[source.output]


def _call_inputs(
    forward: _Forward,
    known: _Known,
    calls: Sequence[IODims],
    number: int,
    statement: Statement | None,
) -> Iterator[Dims]:
    """The names of the inputs of a call, after those of the calls before it."""
    call = forward.trace.calls[number]
    for i, (source, shape) in enumerate(zip(call.sources, call.trace.inputs, strict=True)):
        has_shape = isinstance(source, Source) and forward.shape(source) == shape
        if statement is None or has_shape:
            yield _since_computed(forward, known, calls, source, shape)
        else:
            yield _read(forward, call, i, statement)


def _read(forward: _Forward, call: Call, i: int, statement: Statement) -> Dims:
    """The names stated for the variable that a line passes to a call: for the one at its position
    if the line is just the call, else for the one that fits; None if several may."""
    read, shape = forward.stated.read_dims[statement.first], call.trace.inputs[i]
    if statement.calls == 1 and len(read) == len(call.sources):
        read = read[i : i + 1]
    fit = {dims for dims in read if dims is None or forward.letters.fits(dims, shape)}
    dims = fit.pop() if len(fit) == 1 else None
    return dims if forward.letters.bind(dims, shape) else None


def _call_outputs(
    forward: _Forward, known: _Known, number: int, dims: Sequence[Dims]
) -> Iterator[Dims]:
    """The names of the outputs of a call, given those of its inputs."""
    trace = forward.trace.calls[number].trace
    ins = tuple(zip(dims, trace.inputs, strict=True))
    for i, shape in enumerate(trace.outputs):
        documented = known.documented.get(Source(number, i))
        stated = known.commented.get((number, i)) or forward.exact((documented,), shape)
        same = next((names for names, given in ins if names and given == shape), None)
        usual = _usual(forward.letters, trace, i, ins)
        yield stated or same or _as_outside(forward, shape) or forward.adapted(usual, shape)


def _as_outside(forward: _Forward, shape: Shape) -> Dims:
    """In a Sequential: the names that its inputs and outputs of that shape have outside."""
    if forward.stated.statements:
        return None
    names = (*forward.outside.ins, *forward.outside.outs)
    shapes = (*forward.trace.inputs, *forward.trace.outputs)
    same = (dims for dims, end in zip(names, shapes, strict=True) if end == shape)
    return forward.exact(same, shape)


def _usual(
    letters: DimLetters, trace: Trace, output: int, ins: Sequence[tuple[Dims, Shape]]
) -> Iterator[Dims]:
    """The likely names of a call's output: those in its docstring, those of the input for a torch
    layer, those usual for its kind, and those in its own forward."""
    stated = _stated(trace).documented
    yield _translate(_nth(stated.outputs, output, len(trace.outputs)), stated.inputs, ins)
    if ins and _is_torch(trace):
        yield letters.carry(*ins[0], trace.outputs[output])
    yield USUAL.get(trace.kind)
    if trace.calls:
        yield name_dims(trace, no_dims(trace)).own.outs[output]


def _stated(trace: Trace) -> StatedShapes:
    module: Any = trace.cls
    return stated_shapes(module) if module else NO_SHAPES


def _translate(gives: Dims, takes: Sequence[DimNames], ins: Sequence[tuple[Dims, Shape]]) -> Dims:
    """Documented shapes of a called module in the letters of its caller, matched by its inputs."""
    if gives is None or len(takes) != len(ins):
        return gives
    known = ((own, dims) for own, (dims, _) in zip(takes, ins, strict=True) if dims)
    alike = (zip(own, dims, strict=True) for own, dims in known if len(own) == len(dims))
    names = {a: b for pairs in alike for a, b in pairs if is_letter(a) and is_letter(b)}
    return tuple(names.get(name, name) for name in gives)


def _nth(gives: Sequence[DimNames], output: int, many: int) -> Dims:
    """The shape documented for one of many outputs; the only documented one counts for all."""
    if len(gives) == many:
        return gives[output]
    return gives[0] if len(gives) == 1 or (gives and many == 1) else None


def _is_torch(trace: Trace) -> bool:
    return not _stated(trace).statements
