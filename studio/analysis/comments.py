"""Shapes that source text states: beside the lines of a forward, and in docstrings.

`x = self.proj(x)  # (B, N, D)` says what shape the line gives, `(B, N, D) -> (B, D)` in a docstring
what a module takes and gives. A test keeps the comments true (`tests/zoo/shape_comments.py`).
"""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from textwrap import dedent
from typing import Any, NamedTuple

Sizes = tuple[str, ...]  # of a shape, axis by axis: letters, numbers, or terms such as 3*D
REST = "..."
COMMENT = re.compile(r"#\s*(\w+ × )?\(([^()]*)\)")
SIZE = re.compile(r"[\w'²]+( ?[·*/+-] ?[\w'²]+)*|\.\.\.")
SENTENCE = re.compile(r"(?<=[.:])\s+(?=[A-Z`(])")
SIGNS = str.maketrans({"×": "*", "·": "*"})
TERMS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# Methods that look at a tensor in another way: what is said beside the line is not what was computed.
VIEWS = frozenset(
    {"chunk", "expand", "flatten", "permute", "reshape", "split", "squeeze", "transpose"}
    | {"unbind", "unflatten", "unsqueeze", "view", "view_as"}
)


class Lines(NamedTuple):
    """From the first to the last, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Statement:
    """An assignment or a return: its lines, the names it sets, and the sizes it claims.

    `each` is whether these are the sizes of several tensors (`# 3 × (B, N, D)`), `reads` the
    variables that it reads, `calls` how many calls stand in it, `viewed` whether it ends with
    another view of what it computed, and `loop` the lines of the innermost loop around it.
    """

    first: int
    last: int
    names: tuple[str, ...]
    sizes: Sizes | None
    each: bool = False
    reads: tuple[str, ...] = ()
    calls: int = 0
    viewed: bool = False
    loop: Lines | None = None


class Promise(NamedTuple):
    """The shapes that a module takes and gives, as its docstrings and its last line state them."""

    takes: tuple[Sizes, ...] = ()
    gives: tuple[Sizes, ...] = ()


@dataclass(frozen=True)
class Text:
    """What the source of a module says about shapes: its statements, and what it promises."""

    statements: tuple[Statement, ...] = ()
    promise: Promise = Promise()

    def at(self, line: int) -> Statement | None:
        return next((s for s in self.statements if s.first <= line <= s.last), None)

    def before(self, statement: Statement, name: str) -> Sizes | None:
        """What was last said of a variable that a statement reads."""
        said = [s for s in self.statements if name in s.names and s.first < statement.first]
        return said[-1].sizes if said else None


NOTHING = Text()


@lru_cache(maxsize=1024)
def text(module: type[Any]) -> Text:
    """The text of a module's class; of torch's own, and where no source is known, there is none."""
    forward = module.forward
    if forward.__module__.startswith("torch."):
        return Text(promise=_promised(module, None))
    try:
        lines, first = inspect.getsourcelines(forward)
    except (OSError, TypeError):
        return NOTHING
    found = statements(dedent("".join(lines)), first)
    ends = [s.sizes for s in found.values() if s.names == ("return",) and s.sizes]
    return Text(tuple(found.values()), _promised(module, ends[-1] if ends else None))


def statements(source: str, first: int = 1) -> dict[int, Statement]:
    """The assignments and returns of a source, whose first line has the number `first`, by their
    first line and in their order."""
    tree, lines = ast.parse(source), source.splitlines()
    ast.increment_lineno(tree, first - 1)
    loops = [Lines(n.lineno, n.end_lineno or 0) for n in ast.walk(tree) if isinstance(n, ast.For)]
    found = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names: tuple[str, ...] = (name,)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=value):
                names = tuple(e.id for e in elements if isinstance(e, ast.Name) and e.id != "_")
            case ast.Return(value=ast.expr() as value):
                names = ("return",)
            case _:
                continue
        span = Lines(node.lineno, node.end_lineno or node.lineno)
        said = COMMENT.search(lines[span.first - first]) or COMMENT.search(lines[span.last - first])
        found[span.first] = Statement(
            *span,
            names,
            _sizes(said[2]) if said else None,
            each=bool(said and said[1]),
            reads=tuple(n.id for n in ast.walk(value) if isinstance(n, ast.Name)),
            calls=sum(isinstance(n, ast.Call) for n in ast.walk(value)),
            viewed=_is_viewed(value),
            loop=next((at for at in reversed(loops) if at.first < span.first <= at.last), None),
        )
    return dict(sorted(found.items()))


def value(size: str, letters: Mapping[str, int]) -> float | None:
    """What a size such as `3*D` or `H/P` comes to, where all its letters are known."""
    try:
        return _value(ast.parse(size.translate(SIGNS), mode="eval").body, letters)
    except (KeyError, SyntaxError, TypeError, ZeroDivisionError):
        return None


def _value(node: ast.expr, letters: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=letter):
            return letters[letter]
        case ast.BinOp(left=left, op=op, right=right):
            return TERMS[type(op)](_value(left, letters), _value(right, letters))
    raise TypeError(f"no size: {ast.dump(node)}")


def promised(docstring: str) -> Promise:
    """The shapes on both sides of the last arrow: "(B, N, D) -> (B, D)"; or else of the first "to":
    "Images (B, C, H, W) to logits (B, num_classes)"."""
    for sentence in reversed(SENTENCE.split(docstring.replace("\n", " "))):
        if " -> " in sentence:
            before, _, after = sentence.partition(" -> ")
            return Promise(tuple(_shapes(before)), tuple(_shapes(after)))
    before, _, after = docstring.partition(" to ")
    return Promise(tuple(_shapes(before)), tuple(_shapes(after)))


def _promised(module: type[Any], returned: Sizes | None) -> Promise:
    """From the docstring of the forward, or that of the class or of one that it is made from."""
    own = takewhile(lambda cls: not cls.__module__.startswith("torch."), module.__mro__)
    forward = module.forward
    told = [] if forward.__module__.startswith("torch.") else [forward.__doc__]
    found = [promised(doc) for doc in (*told, *(cls.__doc__ for cls in own)) if doc]
    said = next((promise for promise in found if any(promise)), Promise())
    return Promise(said.takes, (returned,)) if returned and len(said.gives) < 2 else said


def _shapes(text: str) -> Iterator[Sizes]:
    for inside in re.findall(r"\(([^()]*)\)", text):
        sizes = _sizes(inside)
        if sizes and all(map(SIZE.fullmatch, sizes)):
            yield sizes


def _sizes(inside: str) -> Sizes:
    return tuple(size.strip() for size in inside.split(",") if size.strip())


def _is_viewed(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self" | "torch" | "F"))):
            return False
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in VIEWS
    return isinstance(value, ast.Subscript)
