"""Class members that the exported code reads: the others are not exported.

The studio uses more members of a class than the model does, such as the checks of a stage. Members
are only left out of classes that are entirely ours: a base class of torch or Python may call
methods by itself. Special methods and dataclass fields are always exported.
"""

from __future__ import annotations

import ast
import sys
from abc import ABC
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Generic

from studio.codegen.source import ROOMS


@lru_cache(maxsize=1024)
def mentioned_names(text: str) -> frozenset[str]:
    """The member names that a text may read: those after a dot, and those in quotes."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(attr=name):
                found.add(name)
            case ast.Constant(value=str() as name) if name.isidentifier():
                found.add(name)
    return frozenset(found)


@lru_cache(maxsize=1024)
def without_unread_members(text: str, module: str, name: str, read: frozenset[str]) -> str:
    """The lines of a definition, without the members that are not in `read`."""
    kind = getattr(sys.modules[module], name, None)
    if not isinstance(kind, type) or not _is_ours(kind):
        return text
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ClassDef)
    gone = [
        part
        for part in node.body
        if (member := _member(part, is_dataclass(kind))) and member not in read
    ]
    if len(gone) == len(node.body):
        return text
    lines = text.splitlines()
    for part in reversed(gone):
        del lines[slice(*_span(part, lines))]
    return "\n".join(lines)


def _is_ours(kind: type) -> bool:
    return all(
        base in (object, ABC, Generic) or base.__module__.startswith(ROOMS) for base in kind.__mro__
    )


def _member(part: ast.stmt, is_record: bool) -> str | None:
    """The name of a member that may be left out; None if it must stay."""
    match part:
        case ast.FunctionDef(name=name) if not name.startswith("__"):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)) if not is_record:
            return name
        case _:
            return None


def _span(part: ast.stmt, lines: list[str]) -> tuple[int, int]:
    """The lines of a member, with its decorators, the comment above, and one of two blank lines."""
    decorators = part.decorator_list if isinstance(part, ast.FunctionDef) else []
    first = min([part.lineno, *(d.lineno for d in decorators)]) - 1
    last = part.end_lineno or part.lineno
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    if not lines[first - 1] and not any(lines[last : last + 1]):
        first -= 1
    return first, last
