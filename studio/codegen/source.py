"""A file of the zoo, the stages or the blocks as text: its imports, its definitions, and their
lines.

Export takes definitions out of these files by name, so they follow a few rules, which
`check_module` checks: every import at the top level; from the studio only `from studio.x import
Name`, never a module, a star or an alias; otherwise only torch and the standard library; one
statement for each top-level name and no code between them; a knob's default and help come first,
the help a string.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

ROOMS = ("studio.zoo.", "studio.stages.", "studio.blocks.")  # whose definitions are followed
FOREIGN = frozenset(sys.stdlib_module_names) | {"torch"}


@dataclass(frozen=True)
class Import:
    """`from module import name as alias`; without a name, `import module as alias`."""

    module: str
    name: str = ""
    alias: str = ""

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]

    @property
    def bound(self) -> str:
        """The name that it binds in the importing file."""
        return self.alias or self.name or self.root


@dataclass(frozen=True, eq=False)
class ModuleSource:
    """One file: its lines, its imports by bound name, its statements by defined name."""

    module: str
    lines: tuple[str, ...]
    imports: Mapping[str, Import]
    statements: Mapping[str, ast.stmt]

    def lines_of(self, node: ast.stmt) -> tuple[int, int]:
        """First and last line (1-based), with decorators and the comment just above."""
        decorators = (
            node.decorator_list if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else []
        )
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        while first > 1 and self.lines[first - 2].startswith("#"):
            first -= 1
        return first, node.end_lineno or node.lineno


@cache
def load(module: str) -> ModuleSource:
    """The source of a module of these rooms. Raises ValueError if it breaks a rule."""
    if broken := check_module(module):
        raise ValueError(f"{module} cannot be exported: {'; '.join(broken)}")
    body = parse(module).body
    return ModuleSource(
        module,
        tuple(read(module).splitlines()),
        MappingProxyType({i.bound: i for node in body for i in imports_of(node)}),
        MappingProxyType({name: node for node in body if (name := defined_name(node))}),
    )


# Cached, so that a file edited under a running server is not exported for the classes in memory.
@cache
def read(module: str) -> str:
    """The text of a module's file, as it was when first read."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no module {module}")
    return Path(spec.origin).read_text(encoding="utf-8")


def parse(module: str) -> ast.Module:
    return ast.parse(read(module))


def imports_of(node: ast.stmt) -> tuple[Import, ...]:
    match node:
        case ast.Import(names=names):
            return tuple(Import(a.name, alias=a.asname or "") for a in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            origin = "." * level + (module or "")
            return tuple(Import(origin, a.name, a.asname or "") for a in names)
        case _:
            return ()


def defined_name(node: ast.stmt) -> str | None:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return None


def check_module(module: str) -> tuple[str, ...]:
    """The rules above that a file breaks, one sentence each; empty for a valid file."""
    tree = parse(module)
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return (*_check_statements(body), *_check_imports(tree), *_check_knobs(tree))


def _check_statements(body: list[ast.stmt]) -> Iterator[str]:
    seen: set[str] = set()
    for node in body:
        name = defined_name(node)
        bound = {name} if name else {i.bound for i in imports_of(node)}
        if not bound:
            yield f"line {node.lineno} is neither an import nor the definition of one name"
        for again in sorted(bound & seen):
            yield f"line {node.lineno} defines {again} again"
        seen |= bound


def _check_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if node not in tree.body:
            yield f"line {node.lineno} imports below the top level"
        complaints = (_import_fault(item) for item in imports_of(node))
        yield from (f"line {node.lineno} {complaint}" for complaint in complaints if complaint)


def _check_knobs(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="knob"), args=[_, ast.Constant(value=str())]):
                pass
            case ast.Call(func=ast.Name(id="knob")):
                yield f"line {node.lineno}: knob() must begin with a default and a help"


def _import_fault(item: Import) -> str | None:
    if item.root == "studio":
        return _studio_import_fault(item)
    if item.root not in FOREIGN:
        return f"imports {item.module or '.'}: only torch and the standard library may be imported"
    if item.name == "*":
        return f"imports everything of {item.module}"
    if not item.name and not item.alias and "." in item.module:
        return f"imports {item.module} without an alias"
    return None


def _studio_import_fault(item: Import) -> str | None:
    if not item.name or item.alias:
        return f"must import {item.module} as `from {item.module} import Name`"
    names = {defined_name(node) for node in parse(item.module).body}
    if f"{item.module}.".startswith(ROOMS) and item.name not in names:
        return f"imports {item.name}, which {item.module} does not define"
    return None
