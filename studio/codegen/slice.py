"""Slice the definitions that a design uses out of the package's source.

From a family's config, model and example we follow every top-level name that their code uses,
through the zoo, the stages and the blocks, and take the lines of each definition unchanged. One
thing is rewritten: a `knob(...)` becomes this design's value, with the knob's help as a comment. So
a class that was not chosen is not followed, and not exported; nor is a member that nothing reads
(`studio.codegen.members`).
"""

from __future__ import annotations

import ast
import json
import symtable
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, lru_cache
from typing import Any

from torch import nn

from studio.codegen.members import mentioned_names, without_unread_members
from studio.codegen.source import ROOMS, Import, ModuleSource, load
from studio.family import Design
from studio.knobs import knobs
from studio.stages.stage import JOINS

LINE_LENGTH = 100


@dataclass(frozen=True)
class Definition:
    """A top-level name of a module, and the lines that define it."""

    module: str
    name: str
    line: int
    text: str

    @property
    def bound(self) -> str:
        return self.name


@dataclass(frozen=True)
class Slice:
    """What a design uses: its external imports, and its definitions in execution order."""

    imports: tuple[Import, ...]
    definitions: tuple[Definition, ...]


Item = Definition | Import


def slice_design(design: Design) -> Slice:
    """The definitions that a design uses, callees first, the config as early as possible.

    Raises ValueError if a file breaks the rules of `studio.codegen.source`, or if two definitions
    share a name.
    """
    code = design.family.code_of(design.config)
    home = code.config.__module__
    config = _define(load(home), code.config.__name__, design.settings)
    classes = [
        _class_item(kind) for value in design.settings.values() for kind in _classes_in(value)
    ]
    roots = [_resolve(home, part.__name__) for part in (code.model, code.example)]
    found, read = _reachable([config, *classes, *roots], config)
    early = _closure([*classes, *_uses(config, methods=False)], config, read)
    order = _modules(home)

    def place(definition: Definition) -> tuple[bool, bool, int, int]:
        # Files in the order in which Python runs them, each top to bottom; the config before
        # all except what its definition needs.
        late = definition.name not in early
        rank = order.index(definition.module)
        return late, late and definition.name != config.name, rank, definition.line

    definitions = (item for item in found.values() if isinstance(item, Definition))
    imports = (item for item in found.values() if isinstance(item, Import))
    return Slice(tuple(imports), tuple(sorted(definitions, key=place)))


def _reachable(
    start: Sequence[Item | None], config: Definition
) -> tuple[dict[str, Item], frozenset[str]]:
    """Everything that `start` needs, with only the members that are read, and their names."""
    read: frozenset[str] = frozenset()
    while True:
        found = _closure(start, config, read)
        texts = (item.text for item in found.values() if isinstance(item, Definition))
        more = read.union(*map(mentioned_names, texts))
        if more == read:
            return found, read
        read = more


def _closure(
    start: Iterable[Item | None], config: Definition, read: frozenset[str]
) -> dict[str, Item]:
    """Everything that `start` needs, itself included, by name, with only the members in `read`."""
    found: dict[str, Item] = {}
    queue = list(start)
    while queue:
        item = queue.pop()
        if item is None:
            continue
        if (item.module, item.bound) == (config.module, config.name):
            item = config
        if isinstance(item, Definition):
            item = replace(
                item, text=without_unread_members(item.text, item.module, item.name, read)
            )
        known = found.get(item.bound)
        if known is None:
            found[item.bound] = item
            queue += _uses(item) if isinstance(item, Definition) else ()
        elif known != item:
            raise ValueError(
                f"{item.bound} has different meanings in {known.module} and {item.module}"
            )
    return found


def _uses(definition: Definition, methods: bool = True) -> Iterator[Item | None]:
    for name in _global_names(definition.text, methods):
        if name != definition.name:
            yield _resolve(definition.module, name)


@lru_cache(maxsize=4096)
def _global_names(text: str, methods: bool) -> tuple[str, ...]:
    """The global names that a definition uses, sorted; without those in its methods, if asked."""
    table = symtable.symtable(text, "<definition>", "exec")
    return tuple(sorted(set(_globals_in(table, methods))))


def _globals_in(table: symtable.SymbolTable, methods: bool) -> Iterator[str]:
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (at_top or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        if methods or inner.get_type() != "function":
            yield from _globals_in(inner, methods)


def _resolve(module: str, name: str) -> Item | None:
    """What a name means at the top level of a module; None for a builtin."""
    source = load(module)
    if name in source.statements:
        return _with_defaults(source, name)
    item = source.imports.get(name)
    if item is None or item.root != "studio":
        return item
    if item.module.startswith(ROOMS):
        return _resolve(item.module, item.name)
    raise ValueError(f"{module} uses {name} of {item.module}, which cannot be exported")


def _class_item(value: type) -> Item:
    """A class chosen by a knob, whether or not the family's file imports it."""
    if _is_torch_class(value):
        return Import("torch", "nn")
    return _with_defaults(load(value.__module__), value.__name__)


@lru_cache(maxsize=4096)
def _with_defaults(source: ModuleSource, name: str) -> Definition:
    return _define(source, name, {})


def _define(source: ModuleSource, name: str, settings: Mapping[str, Any]) -> Definition:
    """The lines that define a name; its knobs have the values in `settings`, or their defaults."""
    node = source.statements[name]
    first, last = source.lines_of(node)
    lines = list(source.lines[first - 1 : last])
    for part in reversed(node.body if isinstance(node, ast.ClassDef) else ()):
        match part:
            case ast.AnnAssign(
                target=ast.Name(id=knob),
                value=ast.Call(func=ast.Name(id="knob" | "records")) as call,
            ):
                default, help = call.args
                value = as_source(settings[knob]) if settings else ast.unparse(default)
                start, end = part.lineno - first, (part.end_lineno or part.lineno) - first + 1
                lines[start:end] = _field(
                    f"{knob}: {ast.unparse(part.annotation)} = {value}", ast.literal_eval(help)
                )
    return Definition(source.module, name, first, "\n".join(lines))


def _field(statement: str, help: str) -> list[str]:
    """One field of a config, with its help beside it, or above if the line is too long."""
    line = f"    {statement}  # {help}"
    if len(line) <= LINE_LENGTH and "\n" not in statement:
        return [line]
    above = textwrap.wrap(help, LINE_LENGTH - 6)
    return [*(f"    # {part}" for part in above), *f"    {statement}".split("\n")]


def _classes_in(value: object) -> Iterator[type]:
    """The classes in a knob's value: it may be a class, a record, or records that contain some."""
    if isinstance(value, type):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _classes_in(entry)
    elif is_dataclass(value):
        yield type(value)
        for field in fields(value):
            yield from _classes_in(getattr(value, field.name))


def as_source(value: object) -> str:
    """A knob's value as Python source in the exported file."""
    match value:
        case type():
            return f"nn.{value.__name__}" if _is_torch_class(value) else value.__name__
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple() if any(map(is_dataclass, value)):
            rows = "".join(f"        {as_source(row)},\n" for row in value)
            return f"(\n{rows}    )"
        case _ if is_dataclass(value):
            return f"{type(value).__name__}({', '.join(_arguments(value))})"
        case _:
            return repr(value)


def _arguments(record: Any) -> Iterator[str]:
    """The arguments of a record to write out: size, joins, and all that differ from the default."""
    kind: Any = type(record)
    for name, knob in knobs(kind).items():
        value = getattr(record, name)
        if knob.axis or name in JOINS or value != knob.default:
            yield f"{name}={as_source(value)}"


def _is_torch_class(value: type) -> bool:
    return getattr(nn, value.__name__, None) is value


@cache
def _modules(module: str) -> tuple[str, ...]:
    """The module and those it imports, in the order in which Python runs them."""
    inner = [
        name
        for item in load(module).imports.values()
        if item.module.startswith(ROOMS)
        for name in _modules(item.module)
    ]
    return tuple(dict.fromkeys((*inner, module)))
