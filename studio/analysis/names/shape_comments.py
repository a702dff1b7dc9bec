"""Shapes stated in source text: beside the lines of a forward, and in docstrings.

`x = self.proj(x) # (B, N, D)` states the shape that the line computes, `(B, N, D) -> (B, D)` in a
docstring the shapes of inputs and outputs. A test keeps the comments true
(`tests/zoo/shape_comments.py`).
"""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile
from textwrap import dedent
from typing import Any, NamedTuple

DimNames = tuple[str, ...]  # of a shape, by dimension: letters, numbers, or terms such as 3*D
REST = "..."
COMMENT = re.compile(r"#\s*(\w+ × )?\(([^()]*)\)")
SIZE = re.compile(r"[\w'²]+( ?[·*/+-] ?[\w'²]+)*|\.\.\.")
SENTENCE = re.compile(r"(?<=[.:])\s+(?=[A-Z`(])")
SIGNS = str.maketrans({"×": "*", "·": "*"})
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
TERMS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# Methods that return a view: a comment beside them does not describe what was computed.
VIEWS = frozenset(
    {"chunk", "expand", "flatten", "permute", "reshape", "split", "squeeze", "transpose"}
    | {"unbind", "unflatten", "unsqueeze", "view", "view_as"}
)


class Lines(NamedTuple):
    """First and last line, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Statement:
    """An assignment or a return: its lines, the names it sets, and the shape that its comment
    states.

    `for_each`: the shape is that of several tensors (`# 3 × (B, N, D)`). `reads` are the variables
    that it reads, `calls` the number of calls in it, `view` the view method that it ends with,
    `loop` the lines of the innermost loop around it.
    """

    first: int
    last: int
    names: tuple[str, ...]
    dims: DimNames | None
    for_each: bool = False
    reads: tuple[str, ...] = ()
    calls: int = 0
    view: str = ""
    loop: Lines | None = None


class DocumentedShapes(NamedTuple):
    """The shapes of a module's inputs and outputs, as its docstrings and its last line
    state them."""

    inputs: tuple[DimNames, ...]
    outputs: tuple[DimNames, ...]


UNDOCUMENTED = DocumentedShapes((), ())


@dataclass(frozen=True)
class StatedShapes:
    """What the source of a module says about shapes: its statements, and its documented shapes."""

    statements: tuple[Statement, ...] = ()
    documented: DocumentedShapes = UNDOCUMENTED

    @cached_property
    def lines(self) -> dict[int, Statement]:
        """The statement of each line."""
        return {line: s for s in self.statements for line in range(s.first, s.last + 1)}

    @cached_property
    def read_dims(self) -> dict[int, tuple[DimNames | None, ...]]:
        """The last stated shapes of the variables that a statement reads, by its first line; None
        for a variable that was set again since without a comment."""
        return {s.first: tuple(self._read_dims(s)) for s in self.statements}

    def _read_dims(self, statement: Statement) -> Iterator[DimNames | None]:
        for name in statement.reads:
            past = [s for s in self.statements if name in s.names and s.first < statement.first]
            if any(s.dims for s in past):
                yield past[-1].dims


NO_SHAPES = StatedShapes()


@lru_cache(maxsize=1024)
def stated_shapes(module: type[Any]) -> StatedShapes:
    """The shapes stated by a module's class; none for torch's own, and if there is no source."""
    if is_torch_forward(module):
        return StatedShapes(documented=_documented_shapes(module, None))
    written = forward_source(module)
    if written is None:
        return NO_SHAPES
    found = statements(*written)
    ends = [s.dims for s in found.values() if s.names == ("return",) and s.dims]
    return StatedShapes(
        tuple(found.values()), _documented_shapes(module, ends[-1] if ends else None)
    )


def is_torch_forward(module: type[Any]) -> bool:
    """Whether a module's forward is torch's own."""
    return bool(module.forward.__module__.startswith("torch."))


def forward_source(module: type[Any]) -> tuple[str, int] | None:
    """The source of a module's forward and the number of its first line; None if there is none."""
    try:
        lines, first = inspect.getsourcelines(module.forward)
    except (OSError, TypeError):
        return None
    return dedent("".join(lines)), first


def statements(source: str, first: int = 1) -> dict[int, Statement]:
    """The assignments and returns in a source whose first line has the number `first`, by first
    line."""
    lines, shift = source.splitlines(), first - 1
    found = {}
    for node, loop in _simple_statements(ast.parse(source).body, None):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names: tuple[str, ...] = (name,)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=value):
                names = tuple(e.id for e in elements if isinstance(e, ast.Name) and e.id != "_")
            case ast.Return(value=ast.expr() as value):
                names = ("return",)
            case _:
                continue
        span = _span(node)
        comment = COMMENT.search(lines[span.first - 1]) or COMMENT.search(lines[span.last - 1])
        parts = tuple(ast.walk(value))
        found[span.first + shift] = Statement(
            span.first + shift,
            span.last + shift,
            names,
            _dims(comment[2]) if comment else None,
            for_each=bool(comment and comment[1]),
            reads=tuple(n.id for n in parts if isinstance(n, ast.Name)),
            calls=sum(isinstance(n, ast.Call) for n in parts),
            view=_view(value),
            loop=loop and Lines(loop.first + shift, loop.last + shift),
        )
    return found


def _simple_statements(
    trace: Sequence[ast.stmt], loop: Lines | None
) -> Iterator[tuple[ast.stmt, Lines | None]]:
    """The statements without nested ones, in order, each with the innermost loop around it."""
    for node in trace:
        around = _span(node) if isinstance(node, ast.For) else loop
        blocks = [getattr(node, name, []) for name in BLOCKS]
        if not any(blocks):
            yield node, loop
        for block in blocks:
            yield from _simple_statements(block, around)


def _span(node: ast.stmt) -> Lines:
    return Lines(node.lineno, node.end_lineno or node.lineno)


def evaluate(size: str, letters: Mapping[str, int]) -> float | None:
    """The value of a size such as `3*D` or `H/P`, if all its letters are known."""
    term = _term(size)
    try:
        return None if term is None else _evaluate(term, letters)
    except (KeyError, ZeroDivisionError):
        return None


@lru_cache(maxsize=4096)
def _term(size: str) -> ast.expr | None:
    """A size as an expression; None if it is no term of numbers and letters, as H'."""
    try:
        term = ast.parse(size.translate(SIGNS), mode="eval").body
    except SyntaxError:
        return None
    parts = (ast.Constant, ast.Name, ast.BinOp, ast.Load, *TERMS)
    return term if all(isinstance(node, parts) for node in ast.walk(term)) else None


def _evaluate(term: ast.expr, letters: Mapping[str, int]) -> float:
    if isinstance(term, ast.BinOp):
        return TERMS[type(term.op)](_evaluate(term.left, letters), _evaluate(term.right, letters))
    return letters[term.id] if isinstance(term, ast.Name) else float(ast.literal_eval(term))


def documented_shapes(docstring: str) -> DocumentedShapes:
    """The shapes on both sides of the last arrow, "(B, N, D) -> (B, D)", else of the first "to":
    "Images (B, C, H, W) to logits (B, num_classes)"."""
    for sentence in reversed(SENTENCE.split(docstring.replace("\n", " "))):
        if " -> " in sentence:
            before, _, after = sentence.partition(" -> ")
            return DocumentedShapes(tuple(_shapes(before)), tuple(_shapes(after)))
    before, _, after = docstring.partition(" to ")
    return DocumentedShapes(tuple(_shapes(before)), tuple(_shapes(after)))


def _documented_shapes(module: type[Any], returned: DimNames | None) -> DocumentedShapes:
    """From the docstring of the forward, else of the class or one of its bases."""
    own = takewhile(lambda cls: not cls.__module__.startswith("torch."), module.__mro__)
    docstrings = [] if is_torch_forward(module) else [module.forward.__doc__]
    found = [documented_shapes(doc) for doc in (*docstrings, *(cls.__doc__ for cls in own)) if doc]
    documented = next((shapes for shapes in found if any(shapes)), UNDOCUMENTED)
    return (
        DocumentedShapes(documented.inputs, (returned,))
        if returned and len(documented.outputs) < 2
        else documented
    )


def _shapes(text: str) -> Iterator[DimNames]:
    for inside in re.findall(r"\(([^()]*)\)", text):
        sizes = _dims(inside)
        if sizes and all(map(SIZE.fullmatch, sizes)):
            yield sizes


def _dims(inside: str) -> DimNames:
    return tuple(size.strip() for size in inside.split(",") if size.strip())


def _view(value: ast.expr) -> str:
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self" | "torch" | "F"))):
            return ""
        case ast.Call(func=ast.Attribute(attr=name)) if name in VIEWS:
            return name
        case ast.Subscript():
            return "getitem"
    return ""
