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
from collections.abc import Iterable, Iterator, Sequence
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


def name_dims(trace: Trace, outside: IODims) -> ForwardDims:
    """The dimension names within a trace. `outside` are the names that its caller has for its
    inputs and outputs, which a Sequential, having no source of its own, takes over."""
    return _DimNamer(trace, outside).named()


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


class _DimNamer:
    """One forward on its way to names: its own words first, then call by call."""

    def __init__(self, trace: Trace, outside: IODims) -> None:
        self.body, self.outside = trace, outside
        self.text = _text(trace)
        self.letters = DimLetters()
        self.said: dict[tuple[int, int], Dims] = {}  # what comments say, by call and output
        self.ins: list[tuple[Dims, ...]] = []
        self.outs: list[tuple[Dims, ...]] = []
        self.wordless = not self.text.statements

    def named(self) -> ForwardDims:
        own = tuple(self._own())
        statements = [self.text.lines.get(call.line) for call in self.body.calls]
        for statement, numbers in groupby(range(len(statements)), statements.__getitem__):
            if statement and statement.dims:
                self._hear(statement, statement.dims, tuple(numbers))
        self.given = tuple(
            dims or self._first((outside, *self._received(i)), shape)
            for i, (dims, outside, shape) in enumerate(
                zip(own, self.outside.ins, self.body.inputs, strict=True)
            )
        )
        self.promised = self._promised()
        for number, call in enumerate(self.body.calls):
            statement = statements[number]
            self.ins.append(
                tuple(self._taken(call, place, statement) for place in range(len(call.sources)))
            )
            self.outs.append(tuple(self._made(number, call)))
        calls = tuple(map(IODims, self.ins, self.outs))
        return ForwardDims(IODims(self.given, tuple(self._returned())), calls)

    # -- what lines say of themselves ----------------------------------------------------------

    def _hear(self, statement: Statement, sizes: DimNames, numbers: Sequence[int]) -> None:
        """A line speaks of the last call in it, and of those before that give the same shape; if it
        ends with a view, only where that is a call of its own, being a copy."""
        calls = self.body.calls
        if statement.view not in ("", calls[numbers[-1]].trace.kind):
            return
        alone = statement.calls == 1 and statement.loop is not None
        shape = calls[numbers[-1]].trace.outputs[:1]
        for number in reversed(numbers):
            outputs = calls[number].trace.outputs
            if not (alone or outputs[:1] == shape):
                continue
            for output in range(len(outputs) if statement.for_each else 1):
                if self.letters.bind(sizes, outputs[output], statement.first, statement.loop):
                    self.said[number, output] = sizes

    # -- the ends of the body ------------------------------------------------------------------

    def _own(self) -> Iterator[Dims]:
        """What the module itself says of its inputs; of a single one perhaps several forms, as
        tokens (B, T) or features (B, T, F)."""
        for i, shape in enumerate(self.body.inputs):
            yield self._sure(self._forms(i, shape), shape)

    def _forms(self, i: int, shape: Shape) -> Sequence[DimNames]:
        """What may be said of an input of that shape."""
        takes, many = self.text.documented.inputs, len(self.body.inputs)
        if many == 1:
            return [sizes for sizes in takes if len(sizes) == len(shape) or len(takes) == 1]
        return takes[i : i + 1] if len(takes) == many else takes if len(takes) == 1 else ()

    def _received(self, i: int) -> Iterator[Dims]:
        """What the module that is first given an input says of it."""
        source = Source(INPUT, i)
        first = next((call for call in self.body.calls if source in call.sources), None)
        if first and first.trace.calls:
            inside = name_dims(first.trace, no_dims(first.trace))
            yield inside.own.ins[first.sources.index(source)]

    def _promised(self) -> dict[Source | str | None, Dims]:
        """What the module promises to give, by where that is made."""
        gives, many = self.text.documented.outputs, len(self.body.outputs)
        return {source: _nth(gives, i, many) for i, source in enumerate(self.body.returns)}

    def _returned(self) -> Iterator[Dims]:
        for source, shape in zip(self.body.returns, self.body.outputs, strict=True):
            yield self._sure((self._known(source, shape), self.promised[source]), shape)

    def _sure(self, choice: Iterable[Dims], shape: Shape) -> Dims:
        """The first of some names in the letters of this forward that is true as it stands."""
        short = (dims for dims in choice if dims and not any(map(WORDY.search, dims)))
        return next((dims for dims in short if self.letters.bind(dims, shape)), None)

    def _first(self, choice: Iterable[Dims], shape: Shape) -> Dims:
        """The first of some names from elsewhere that fits."""
        fits = (self.letters.adapt(dims, shape) for dims in choice)
        return next((dims for dims in fits if dims), None)

    # -- the ends of a call --------------------------------------------------------------------

    def _shape(self, source: Source) -> Shape:
        """The shape that a tensor had where it was made."""
        if source.call == INPUT:
            return self.body.inputs[source.output]
        return self.body.calls[source.call].trace.outputs[source.output]

    def _known(self, source: Source | str | None, shape: Shape) -> Dims:
        """The names that a tensor has since it was made, if it still has its shape."""
        if not isinstance(source, Source) or self._shape(source) != shape:
            return None
        names = self.given if source.call == INPUT else self.outs[source.call]
        return names[source.output]

    def _taken(self, call: Call, place: int, statement: Statement | None) -> Dims:
        source, shape = call.sources[place], call.trace.inputs[place]
        if statement is None or (isinstance(source, Source) and self._shape(source) == shape):
            return self._known(source, shape)
        return self._read(call, place, statement)

    def _read(self, call: Call, place: int, statement: Statement) -> Dims:
        """What is said of the variable that a line hands to a call: of the one in that place where
        the line is nothing but the call, else of the one that fits; None where several may."""
        read, shape = self.text.read_dims[statement.first], call.trace.inputs[place]
        if statement.calls == 1 and len(read) == len(call.sources):
            read = read[place : place + 1]
        fit = {dims for dims in read if dims is None or self.letters.fits(dims, shape)}
        dims = fit.pop() if len(fit) == 1 else None
        return dims if self.letters.bind(dims, shape) else None

    def _made(self, number: int, call: Call) -> Iterator[Dims]:
        trace = call.trace
        ins = tuple(zip(self.ins[number], trace.inputs, strict=True))
        for i, shape in enumerate(trace.outputs):
            said = self.said.get((number, i))
            kept = next((dims for dims, given in ins if dims and given == shape), None)
            said = said or self._sure((self.promised.get(Source(number, i)),), shape)
            usual = self._usual(trace, i, ins)
            yield said or kept or self._shared(shape) or self._first(usual, shape)

    def _shared(self, shape: Shape) -> Dims:
        """In a Sequential: the names that its ends of that shape have outside."""
        if not self.wordless:
            return None
        names = (*self.outside.ins, *self.outside.outs)
        ends = (*self.body.inputs, *self.body.outputs)
        alike = (dims for dims, end in zip(names, ends, strict=True) if end == shape)
        return self._sure(alike, shape)

    def _usual(
        self, trace: Trace, output: int, ins: Sequence[tuple[Dims, Shape]]
    ) -> Iterator[Dims]:
        """What a call may give: what its docstring promises, what a layer of torch's makes of what
        it is given, what is usual for its kind, and what its own forward says."""
        promise = _text(trace).documented
        yield _translate(_nth(promise.outputs, output, len(trace.outputs)), promise.inputs, ins)
        if ins and _is_torch(trace):
            yield self.letters.carry(*ins[0], trace.outputs[output])
        yield USUAL.get(trace.kind)
        if trace.calls:
            yield name_dims(trace, no_dims(trace)).own.outs[output]


def _text(trace: Trace) -> StatedShapes:
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
    return not _text(trace).statements
