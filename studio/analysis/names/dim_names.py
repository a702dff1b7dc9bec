"""Names for the axes of tensors: (B, N, D), as the source of a network states them.

Each forward has letters of its own. What it says of its inputs and beside its lines comes first,
then what a layer that keeps a shape was given, then what the docstring of the called module
promises, and last what is usual for a layer of its kind. A name is checked before it is shown: the
rank, numbers and terms must fit, and a letter means one size within one forward. Another size on
the axis of a letter gets the letter with a prime, as in the sources themselves: C' are other
channels than C. Where the name of an axis cannot be true, its tensor has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from studio.analysis.names.shape_comments import (
    NOTHING,
    REST,
    Lines,
    Sizes,
    Statement,
    Text,
    text,
    value,
)
from studio.analysis.trace.tree import INPUT, Body, Call, Shape, Source

Axes = Sizes | None
LETTER = re.compile(r"[^\W\d]\w*")
WORDY = re.compile(r"\w{3,}.*[·*/]|[·*/].*\w{3,}")  # a term of words is no short name
MAP, SERIES = ("B", "C", "H", "W"), ("B", "C", "T")
USUAL = {
    **dict.fromkeys(("Conv2d", "ConvTranspose2d", "conv2d", "BatchNorm2d", "batch_norm"), MAP),
    **dict.fromkeys(("MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "interpolate"), MAP),
    **dict.fromkeys(("Conv1d", "conv1d"), SERIES),
    "Embedding": ("B", "N", "D"),
}


class Ends(NamedTuple):
    """The names of all that goes into a call or a body, and of all that comes out of it."""

    ins: tuple[Axes, ...]
    outs: tuple[Axes, ...]


class Named(NamedTuple):
    """The names within one body: of its own ends, and of those of each call."""

    own: Ends
    calls: tuple[Ends, ...]


def nameless(body: Body) -> Ends:
    return Ends((None,) * len(body.inputs), (None,) * len(body.outputs))


def named(body: Body, outside: Ends) -> Named:
    """The names of the axes within a body; `outside` is how the one who calls it names its ends,
    which a Sequential, having no words of its own, takes over."""
    return _Forward(body, outside).named()


def written(axes: Axes, shape: Shape) -> str:
    """(B, N, D) = (1, 197, 768); the numbers alone where the axes have no names."""
    numbers = _listed(map(str, shape))
    names = (name.replace("**", "^").replace("*", "·") for name in axes or ())
    return f"{_listed(names)} = {numbers}" if axes and shape else numbers


def _listed(sizes: Iterable[str]) -> str:
    text = ", ".join(sizes)
    return f"({text})" if text else ""


def is_letter(name: str) -> bool:
    """Whether a name means one size within a forward: no number, no term, and without a prime."""
    return name.isidentifier()


@dataclass
class Letters:
    """What the letters mean within one forward; `said` is the line at which each was first used."""

    sizes: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)

    def agree(self, axes: Axes, shape: Shape, line: int = 0, loop: Lines | None = None) -> bool:
        """Whether axes can be those of a shape; if so, their letters mean its sizes from now on. A
        letter that first stands in a loop may change from round to round of it."""
        meant = self._meant(axes, shape, loop)
        if meant is None or axes is None:
            return False
        for name, size in zip(axes, shape, strict=True):
            if is_letter(name):
                self.sizes[name] = size
                self.said.setdefault(name, line)
        return True

    def allow(self, axes: Axes, shape: Shape) -> bool:
        """Whether axes can be those of a shape, without learning from it."""
        return self._meant(axes, shape, None) is not None

    def _meant(self, axes: Axes, shape: Shape, loop: Lines | None) -> dict[str, int] | None:
        """What the letters mean if these are the axes of a shape; None where that cannot be."""
        if axes is None or len(axes) != len(shape) or REST in axes:
            return None
        meant = dict(self.sizes)
        if loop:
            meant = {k: n for k, n in meant.items() if not loop.first < self.said[k] <= loop.last}
        pairs = tuple(zip(axes, shape, strict=True))
        if any(is_letter(name) and meant.setdefault(name, size) != size for name, size in pairs):
            return None
        terms = ((name, size) for name, size in pairs if not is_letter(name))
        return meant if all(value(name, meant) in (None, size) for name, size in terms) else None

    def fitted(self, axes: Axes, shape: Shape) -> Axes:
        """Axes from elsewhere in the letters of this forward, other sizes with a prime; None where
        that cannot be."""
        if axes is None or len(axes) != len(shape) or REST in axes:
            return None
        found: list[str] = []
        for name, size in zip(axes, shape, strict=True):
            short = self._name(name, size)
            if short is None:
                return None
            found.append(short)
        # One letter for two axes of different sizes (S, S): the second is another one.
        return tuple(found) if self.agree(tuple(found), shape) else None

    def _name(self, name: str, size: int) -> str | None:
        if name.isdigit():
            return name if int(name) == size else None
        if WORDY.search(name):
            return None
        if is_letter(name):
            return name if self.sizes.get(name, size) == size else f"{name}'"
        return name if value(name, self.sizes) in (None, size) else self.other(name, size)

    def other(self, name: str, size: int) -> str | None:
        """The name of another size on the axis of a name."""
        letter = LETTER.search(name)
        if size == 1 or letter is None:
            return str(size) if size == 1 else None
        return letter[0] if self.sizes.get(letter[0]) == size else f"{letter[0]}'"

    def carried(self, axes: Axes, given: Shape, made: Shape) -> Axes:
        """The axes of an output from those of an input of the same rank."""
        if axes is None or len(given) != len(made):
            return None
        names = (
            name if a == b else self.other(name, b)
            for name, a, b in zip(axes, given, made, strict=True)
        )
        found = [name for name in names if name is not None]
        return tuple(found) if len(found) == len(made) else None


class _Forward:
    """One forward on its way to names: its own words first, then call by call."""

    def __init__(self, body: Body, outside: Ends) -> None:
        self.body, self.outside = body, outside
        self.text = _text(body)
        self.letters = Letters()
        self.said: dict[tuple[int, int], Axes] = {}  # what comments say, by call and output
        self.ins: list[tuple[Axes, ...]] = []
        self.outs: list[tuple[Axes, ...]] = []
        self.wordless = not self.text.statements

    def named(self) -> Named:
        own = tuple(self._own())
        statements = [self.text.lines.get(call.line) for call in self.body.calls]
        for statement, numbers in groupby(range(len(statements)), statements.__getitem__):
            if statement and statement.sizes:
                self._hear(statement, statement.sizes, tuple(numbers))
        self.given = tuple(
            axes or self._first((outside, *self._received(i)), shape)
            for i, (axes, outside, shape) in enumerate(
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
        calls = tuple(map(Ends, self.ins, self.outs))
        return Named(Ends(self.given, tuple(self._returned())), calls)

    # -- what lines say of themselves ----------------------------------------------------------

    def _hear(self, statement: Statement, sizes: Sizes, numbers: Sequence[int]) -> None:
        """A line speaks of the last call in it, and of those before that give the same shape; if it
        ends with a view, only where that is a call of its own, being a copy."""
        calls = self.body.calls
        if statement.view not in ("", calls[numbers[-1]].body.kind):
            return
        alone = statement.calls == 1 and statement.loop is not None
        shape = calls[numbers[-1]].body.outputs[:1]
        for number in reversed(numbers):
            outputs = calls[number].body.outputs
            if not (alone or outputs[:1] == shape):
                continue
            for output in range(len(outputs) if statement.each else 1):
                if self.letters.agree(sizes, outputs[output], statement.first, statement.loop):
                    self.said[number, output] = sizes

    # -- the ends of the body ------------------------------------------------------------------

    def _own(self) -> Iterator[Axes]:
        """What the module itself says of its inputs; of a single one perhaps several forms, as
        tokens (B, T) or features (B, T, F)."""
        for i, shape in enumerate(self.body.inputs):
            yield self._sure(self._forms(i, shape), shape)

    def _forms(self, i: int, shape: Shape) -> Sequence[Sizes]:
        """What may be said of an input of that shape."""
        takes, many = self.text.promise.takes, len(self.body.inputs)
        if many == 1:
            return [sizes for sizes in takes if len(sizes) == len(shape) or len(takes) == 1]
        return takes[i : i + 1] if len(takes) == many else takes if len(takes) == 1 else ()

    def _received(self, i: int) -> Iterator[Axes]:
        """What the module that is first given an input says of it."""
        source = Source(INPUT, i)
        first = next((call for call in self.body.calls if source in call.sources), None)
        if first and first.body.calls:
            inside = named(first.body, nameless(first.body))
            yield inside.own.ins[first.sources.index(source)]

    def _promised(self) -> dict[Source | str | None, Axes]:
        """What the module promises to give, by where that is made."""
        gives, many = self.text.promise.gives, len(self.body.outputs)
        return {source: _nth(gives, i, many) for i, source in enumerate(self.body.returns)}

    def _returned(self) -> Iterator[Axes]:
        for source, shape in zip(self.body.returns, self.body.outputs, strict=True):
            yield self._sure((self._known(source, shape), self.promised[source]), shape)

    def _sure(self, choice: Iterable[Axes], shape: Shape) -> Axes:
        """The first of some names in the letters of this forward that is true as it stands."""
        short = (axes for axes in choice if axes and not any(map(WORDY.search, axes)))
        return next((axes for axes in short if self.letters.agree(axes, shape)), None)

    def _first(self, choice: Iterable[Axes], shape: Shape) -> Axes:
        """The first of some names from elsewhere that fits."""
        fits = (self.letters.fitted(axes, shape) for axes in choice)
        return next((axes for axes in fits if axes), None)

    # -- the ends of a call --------------------------------------------------------------------

    def _shape(self, source: Source) -> Shape:
        """The shape that a tensor had where it was made."""
        if source.call == INPUT:
            return self.body.inputs[source.output]
        return self.body.calls[source.call].body.outputs[source.output]

    def _known(self, source: Source | str | None, shape: Shape) -> Axes:
        """The names that a tensor has since it was made, if it still has its shape."""
        if not isinstance(source, Source) or self._shape(source) != shape:
            return None
        names = self.given if source.call == INPUT else self.outs[source.call]
        return names[source.output]

    def _taken(self, call: Call, place: int, statement: Statement | None) -> Axes:
        source, shape = call.sources[place], call.body.inputs[place]
        if statement is None or (isinstance(source, Source) and self._shape(source) == shape):
            return self._known(source, shape)
        return self._read(call, place, statement)

    def _read(self, call: Call, place: int, statement: Statement) -> Axes:
        """What is said of the variable that a line hands to a call: of the one in that place where
        the line is nothing but the call, else of the one that fits; None where several may."""
        read, shape = self.text.heard[statement.first], call.body.inputs[place]
        if statement.calls == 1 and len(read) == len(call.sources):
            read = read[place : place + 1]
        fit = {axes for axes in read if axes is None or self.letters.allow(axes, shape)}
        axes = fit.pop() if len(fit) == 1 else None
        return axes if self.letters.agree(axes, shape) else None

    def _made(self, number: int, call: Call) -> Iterator[Axes]:
        body = call.body
        ins = tuple(zip(self.ins[number], body.inputs, strict=True))
        for i, shape in enumerate(body.outputs):
            said = self.said.get((number, i))
            kept = next((axes for axes, given in ins if axes and given == shape), None)
            said = said or self._sure((self.promised.get(Source(number, i)),), shape)
            usual = self._usual(body, i, ins)
            yield said or kept or self._shared(shape) or self._first(usual, shape)

    def _shared(self, shape: Shape) -> Axes:
        """In a Sequential: the names that its ends of that shape have outside."""
        if not self.wordless:
            return None
        names = (*self.outside.ins, *self.outside.outs)
        ends = (*self.body.inputs, *self.body.outputs)
        alike = (axes for axes, end in zip(names, ends, strict=True) if end == shape)
        return self._sure(alike, shape)

    def _usual(self, body: Body, output: int, ins: Sequence[tuple[Axes, Shape]]) -> Iterator[Axes]:
        """What a call may give: what its docstring promises, what a layer of torch's makes of what
        it is given, what is usual for its kind, and what its own forward says."""
        promise = _text(body).promise
        yield _translated(_nth(promise.gives, output, len(body.outputs)), promise.takes, ins)
        if ins and _is_torch(body):
            yield self.letters.carried(*ins[0], body.outputs[output])
        yield USUAL.get(body.kind)
        if body.calls:
            yield named(body, nameless(body)).own.outs[output]


def _text(body: Body) -> Text:
    module: Any = body.cls
    return text(module) if module else NOTHING


def _translated(gives: Axes, takes: Sequence[Sizes], ins: Sequence[tuple[Axes, Shape]]) -> Axes:
    """What a module promises, in the letters of the one who calls it: those that it takes have
    other names there."""
    if gives is None or len(takes) != len(ins):
        return gives
    known = ((own, axes) for own, (axes, _) in zip(takes, ins, strict=True) if axes)
    alike = (zip(own, axes, strict=True) for own, axes in known if len(own) == len(axes))
    names = {a: b for pairs in alike for a, b in pairs if is_letter(a) and is_letter(b)}
    return tuple(names.get(name, name) for name in gives)


def _nth(gives: Sequence[Sizes], output: int, many: int) -> Axes:
    """The shape promised for one of many outputs; one for all of them, if it is the only one."""
    if len(gives) == many:
        return gives[output]
    return gives[0] if len(gives) == 1 or (gives and many == 1) else None


def _is_torch(body: Body) -> bool:
    return not _text(body).statements
