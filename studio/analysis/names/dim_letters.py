"""One letter, one size: the dimensions of all tensors in a graph, in one alphabet.

Within a forward a letter means one size (`dim_names`), but a graph shows many forwards, and N may
be the 196 patches in one and the 197 tokens in the next. In a graph a letter keeps the size that it
has where the data meet it first. If a forward uses it for another size, the dimension has its
caller's name; if the caller has none, the letter gets an index: C = 3, C₁ = 64, C₂ = 256. Height
and width of a map are H and W in every graph, whether a forward writes H, W or h, w: elsewhere h is
the number of heads and w the width of a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from studio.analysis.names.dim_names import Dims, ForwardDims, IODims
from studio.analysis.names.shape_comments import evaluate
from studio.analysis.trace.tree import Shape, Trace

LETTER = re.compile(r"[^\W\d]\w*'*")  # C, hidden, C'
SHORT = re.compile(r"[^\W\d]\w*")
CALLER_NAME = re.compile(r"[^\W\d][A-Za-z_]*( \+ \d+)?")  # T for 197 tokens, or N + 1
MAP_SIDES = {"h": "H", "w": "W"}  # of a map, if they are adjacent
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Scope(NamedTuple):
    """What the letters mean within one forward: the size of each that has only one, the caller's
    name of a letter with a size, and letters that have another name in a graph."""

    sizes: Mapping[str, int]
    outside: Mapping[tuple[str, int], str]
    sides: Mapping[str, str]

    @classmethod
    def of(cls, trace: Trace, local: ForwardDims, given: Sequence[Dims]) -> Scope:
        """The scope of a forward; `given` are the names that the graph has for its inputs."""
        ends = [(local.own, trace), *zip(local.calls, (c.trace for c in trace.calls), strict=True)]
        sides = MAP_SIDES if any(map(_has_sides, _all_dims(ends))) else {}
        return cls(_sizes(ends), _caller_names(local.own.ins, given, trace.inputs), sides)

    def plain(self, letter: str) -> str:
        """The letter of a graph for a letter of this forward."""
        bare = letter.rstrip("'")
        return self.sides.get(bare, bare)


@dataclass
class Alphabet:
    """The letters of a graph so far, each with its sizes and the name of each size."""

    names: dict[str, dict[int, str]] = field(default_factory=dict)
    terms: dict[str, int] = field(default_factory=dict)

    def translate(
        self, scope: Scope, dims: Sequence[Dims], shapes: Sequence[Shape]
    ) -> tuple[Dims, ...]:
        """The dimensions of tensors in the letters of the graph, from those of a forward."""
        return tuple(
            dims and tuple(self._name(*pair, scope) for pair in zip(dims, shape, strict=True))
            for dims, shape in zip(dims, shapes, strict=True)
        )

    def _name(self, name: str, size: int, scope: Scope) -> str:
        letters = LETTER.findall(name)
        if not letters:
            return name
        term = "" if letters == [name] else self._term(name, size, scope)
        return term or self._letter(letters[0], size, scope)

    def _term(self, term: str, size: int, scope: Scope) -> str:
        """A term such as 3*D in the letters of the graph; empty if it is not true in them, or not
        short. An unknown letter, as K in K + 1, must be used only there."""
        letters = dict.fromkeys(LETTER.findall(term))
        strange = [letter for letter in letters if letter not in scope.sizes]
        if any(scope.plain(letter) in self.names for letter in strange):
            return ""
        if not strange and not _is_true(term, size, scope.sizes):
            return ""
        called = {
            letter: self._letter(letter, scope.sizes[letter], scope)
            for letter in letters
            if letter not in strange
        }
        if not all(map(SHORT.fullmatch, called.values())):
            return ""
        first = next(iter(letters))
        has_own = size in self.names.get(scope.plain(first), {})
        if "/" in term and has_own and called.get(first) != first:
            return ""  # half of H₂ is called H₃
        text = LETTER.sub(lambda found: called.get(found[0], found[0]), term)
        return text if self.terms.setdefault(text, size) == size else ""

    def _letter(self, letter: str, size: int, scope: Scope) -> str:
        plain = scope.plain(letter)
        known = self.names.setdefault(plain, {})
        if size not in known:
            known[size] = scope.outside.get((letter, size), "") if known else plain
        if not known[size]:
            indices = sum(name.startswith(plain) for name in known.values())
            known[size] = f"{plain}{str(indices).translate(SUBSCRIPTS)}"
        return known[size]


def _sizes(ends: list[tuple[IODims, Trace]]) -> dict[str, int]:
    """The sizes of the letters that have only one: in a loop they may change."""
    found: dict[str, set[int]] = {}
    for name, size in _named_sizes(ends):
        if LETTER.fullmatch(name):
            found.setdefault(name, set()).add(size)
    return {name: sizes.pop() for name, sizes in found.items() if len(sizes) == 1}


def _all_dims(ends: list[tuple[IODims, Trace]]) -> Iterator[Dims]:
    for names, _ in ends:
        yield from (*names.ins, *names.outs)


def _has_sides(dims: Dims) -> bool:
    """Whether dimensions contain a height h next to a width w."""
    bare = [name.rstrip("'") for name in dims or ()]
    return ("h", "w") in pairwise(bare)


def _named_sizes(ends: list[tuple[IODims, Trace]]) -> Iterator[tuple[str, int]]:
    for names, trace in ends:
        shapes = (*trace.inputs, *trace.outputs)
        for dims, shape in zip((*names.ins, *names.outs), shapes, strict=True):
            yield from zip(dims or (), shape if dims else (), strict=True)


def _caller_names(
    own: Sequence[Dims], given: Sequence[Dims], shapes: Sequence[Shape]
) -> dict[tuple[str, int], str]:
    """The caller's names for the letters of a forward's inputs; numbers are no names."""
    return {
        (mine, size): theirs
        for local, around, shape in zip(own, given, shapes, strict=True)
        if local and around
        for mine, theirs, size in zip(local, around, shape, strict=True)
        if CALLER_NAME.fullmatch(theirs)
    }


def _is_true(term: str, size: int, sizes: Mapping[str, int]) -> bool:
    """Whether a term of letters has this value; a letter with a prime is a letter of its own."""
    places = {letter: f"x{i}" for i, letter in enumerate(dict.fromkeys(LETTER.findall(term)))}
    text = LETTER.sub(lambda found: places[found[0]], term)
    return evaluate(text, {place: sizes[letter] for letter, place in places.items()}) == size
