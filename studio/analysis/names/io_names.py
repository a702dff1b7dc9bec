"""Names of a network's inputs and outputs, read from its forward.

`def forward(self, images, noise)` names the inputs, `return {"logits": ..., "boxes": ...}` or
`return restored, mean` the outputs. If a network passes an input to a submodule, or returns the
output of one, that module's forward is read. `x` is not a name.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from studio.analysis.names.shape_comments import VIEWS, forward_source, is_torch_forward
from studio.analysis.trace.tree import INPUT, Source, Trace

NAMELESS = "x"
Names = tuple[str, ...]  # empty for a tensor without a name


def input_names(trace: Trace) -> Names:
    """A name for each input of a network."""
    return _as_words("input", _input_names(trace))


def output_names(trace: Trace) -> Names:
    """A name for each output of a network."""
    return _as_words("output", _output_names(trace))


def _input_names(trace: Trace) -> Names:
    module: Any = trace.cls
    count = len(trace.inputs)
    found = _parameters(module) if module else ()
    own = found[:count] if len(found) >= count else ("",) * count
    return tuple(name or _name_in_callee(trace, Source(INPUT, i)) for i, name in enumerate(own))


def _name_in_callee(trace: Trace, source: Source) -> str:
    """The name of a tensor in the submodule that uses it first."""
    for number, call in enumerate(trace.calls):
        if source in call.sources:
            if call.trace.is_passthrough:
                return _name_in_callee(trace, Source(number))
            return (
                _input_names(call.trace)[call.sources.index(source)] if call.trace.is_module else ""
            )
    return ""


def _output_names(trace: Trace) -> Names:
    module: Any = trace.cls
    count = len(trace.outputs)
    returns = [names for names in (_return_names(module) if module else ()) if len(names) == count]
    # If two returns disagree, neither counts.
    own = [names[0] if len(set(names)) == 1 else "" for names in zip(*returns, strict=True)]
    return tuple(
        name or _name_from_callee(trace, output)
        for name, output in zip(own or [""] * count, trace.returns or [None] * count, strict=True)
    )


def _name_from_callee(trace: Trace, source: Source | str | None) -> str:
    """The name of an output in the submodule that computes it."""
    if not isinstance(source, Source) or source.call == INPUT:
        return ""
    part = trace.calls[source.call].trace
    return _output_names(part)[source.output] if part.is_module else ""


def _as_words(kind: str, names: Sequence[str]) -> Names:
    """The names as words; missing and equal names get numbers if there are several."""
    words = [name.replace("_", " ") or kind for name in names]
    return tuple(
        f"{word} {words[: i + 1].count(word)}" if words.count(word) > 1 else word
        for i, word in enumerate(words)
    )


@lru_cache(maxsize=1024)
def _parameters(module: type[Any]) -> Names:
    """The argument names of a module's forward; torch's own say no more than `input`."""
    if is_torch_forward(module):
        return ()
    known = list(inspect.signature(module.forward).parameters.values())[1:]
    plain = (p.name for p in known if p.kind is p.POSITIONAL_OR_KEYWORD)
    return tuple("" if name == NAMELESS else name for name in plain)


@lru_cache(maxsize=1024)
def _return_names(module: type[Any]) -> tuple[Names, ...]:
    """The names in each return of a module's forward."""
    written = None if is_torch_forward(module) else forward_source(module)
    if written is None:
        return ()
    (function,) = ast.parse(written[0]).body
    statements = list(_statements(function))
    dicts = _dicts(statements)
    found: list[Names] = []
    for node in statements:
        match node:
            case ast.Return(value=ast.Name(id=name)) if name in dicts:
                found += dicts[name]
            case ast.Return(value=ast.expr() as value):
                found.append(tuple(_names(value)))
    return tuple(found)


def _dicts(statements: Sequence[ast.AST]) -> dict[str, list[Names]]:
    """The keys of dicts held by variables: those of the literal, and all that are set."""
    found: dict[str, list[Names]] = {}
    for node in statements:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as value):
                found[name] = [tuple(_names(value))] * 2
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key))]
            ) if name in found:
                found[name] = [found[name][0], (*found[name][1], str(key))]
    return found


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """Everything in a function, without the functions in it."""
    for node in ast.iter_child_nodes(block):
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _statements(node)


def _names(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Tuple(elts=elements):
            for element in elements:
                yield from _names(element)
        case ast.Dict(keys=keys):
            yield from (str(key.value) if isinstance(key, ast.Constant) else "" for key in keys)
        case ast.Name(id=name) if name != NAMELESS:
            yield name
        case ast.Call(func=ast.Attribute(value=viewed, attr=method)) if method in VIEWS:
            yield from _names(viewed)
        case _:
            yield ""
