"""No text from outside is rendered by the page.

The code of the page is read for what could be forgotten: every text that Streamlit would render
has to be written in the code, or to go through `plain`.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.delta_generator import DeltaGenerator

from tests.app.conftest import ROOT

APP = ROOT / "studio" / "app"
SOURCES = sorted(APP.rglob("*.py"))
# What Streamlit renders as Markdown, by the names of its parameters.
RENDERED = {"label", "help", "text", "title", "caption", "captions", "body", "format_func", "tabs"}
LITERAL = {"code", "json"}  # elements that show their body letter by letter
CHOSEN = {"selectbox", "multiselect", "select_slider"}  # whose options are no Markdown
WITH_OPTIONS = {"segmented_control", "pills", "radio", "menu_button"}  # whose options are
OF_OURS = {"text", "table", "map", "help", "write", "title", "json", "exception"}  # methods too
BANNED = {"write", "write_stream", "latex", "text", "help", "exception", "image", "toast", "table"}
OWN = {"table": {"lesson.py"}, "html": {"markup.py"}}  # where they may be called all the same
# Markdown of ours that is not written out: lessons, advice, links to papers, a sentence of numbers.
OURS = {"lesson.py": 2, "headline.py": 1, "architect.py": 1, "memory.py": 1}


@cache
def elements() -> dict[str, list[str]]:
    """Streamlit's elements, each with the names of its parameters in their order."""
    found = {}
    for name, method in inspect.getmembers(DeltaGenerator, callable):
        if not name.startswith("_"):
            found[name] = [p for p in inspect.signature(method).parameters if p != "self"]
    return found


def is_streamlit(call: ast.Call) -> bool:
    """Whether a call makes an element: of `st`, or of a place on the page, which has its own name
    and takes a text first. (`knob.text(...)` and the like are ours.)"""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in elements():
        return False
    of_st = isinstance(call.func.value, ast.Name) and call.func.value.id == "st"
    return of_st or call.func.attr not in OF_OURS


def rendered(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of an element that Streamlit reads as Markdown."""
    assert isinstance(call.func, ast.Attribute)
    name = call.func.attr
    names = RENDERED - ({"format_func"} if name in CHOSEN else set())
    names = names - ({"body"} if name in LITERAL else set())
    names = names | ({"options"} if name in WITH_OPTIONS else set())
    given = dict(zip(elements()[name], call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if "format_func" in given:  # the options are shown by it
        given.pop("options", None)
    yield from (value for parameter, value in given.items() if parameter in names)


class Reader:
    """What of a file may be rendered as it stands."""

    def __init__(self, path: Path, code: str = "") -> None:
        self.tree = ast.parse(code or path.read_text("utf-8"))
        self.path = path

    def faults(self) -> Iterator[str]:
        for scope in ast.walk(self.tree):
            if isinstance(scope, (ast.FunctionDef, ast.Module)):
                yield from self._in(scope)

    def _in(self, scope: ast.FunctionDef | ast.Module) -> Iterator[str]:
        called = set()
        for node in own(scope):
            if isinstance(node, ast.Call):
                called.add(id(node.func))
                yield from self._call(node, scope)
            if isinstance(node, ast.Dict):
                yield from self._dict(node, scope)
        for node in own(scope):
            if isinstance(node, ast.Attribute) and id(node) not in called and is_element(node):
                yield f"{self._at(node)} an element of Streamlit by another name"

    def _call(self, call: ast.Call, scope: ast.AST) -> Iterator[str]:
        if not is_streamlit(call):
            return
        assert isinstance(call.func, ast.Attribute)
        name = call.func.attr
        if name in BANNED | {"html"} and self.path.name not in OWN.get(name, ()):
            yield f"{self._at(call)} st.{name}"
        if any(keyword.arg == "unsafe_allow_html" for keyword in call.keywords):
            yield f"{self._at(call)} unsafe_allow_html"
        if name == "html" or name in OWN:
            return
        for text in rendered(call):
            if not self.is_safe(text, scope):
                yield f"{self._at(text)} {name}({ast.unparse(text)})"

    def _dict(self, node: ast.Dict, scope: ast.AST) -> Iterator[str]:
        """A dict of arguments."""
        for key, value in zip(node.keys, node.values, strict=True):
            named = isinstance(key, ast.Constant) and key.value in ("label", "help", "body")
            if named and not self.is_safe(value, scope):
                yield f"{self._at(value)} {ast.unparse(value)}"

    def _at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}:"

    def is_safe(self, text: ast.expr, scope: ast.AST) -> bool:
        """Whether it is written in the code, a number, or went through `plain`."""
        parts = self._parts(text)
        if parts is not None:
            return all(self.is_safe(part, scope) for part in parts)
        match text:
            case ast.Call():
                return self._is_safe_call(text, scope)
            case ast.Name(name) | ast.Attribute(_, name) if name.isupper() or name == "plain":
                return True
            case ast.Name(name):
                return self._is_safe_name(name, scope)
        return False

    def _parts(self, text: ast.expr) -> list[ast.expr] | None:
        """What all has to be safe for the whole to be; None where it is no whole of parts."""
        match text:
            case ast.Constant():
                return []
            case ast.JoinedStr(values):
                return [
                    v.value for v in values if isinstance(v, ast.FormattedValue) and not number(v)
                ]
            case ast.BinOp(left, ast.Add(), right):
                return [left, right]
            case ast.BinOp(value, ast.Mult(), _) | ast.Subscript(value, _) | ast.Lambda(_, value):
                return [value]
            case ast.BinOp(ast.Name(), ast.BitOr(), ast.Dict()):
                return []  # no text: a part of a chart
            case ast.IfExp(_, body, other):
                return [body, other]
            case ast.BoolOp(_, values) | ast.List(values) | ast.Tuple(values):
                return values
        return None

    def _is_safe_call(self, call: ast.Call, scope: ast.AST) -> bool:
        match call.func:
            case ast.Name("plain" | "trusted" | "len"):
                return True
            case ast.Attribute(ast.Constant(), "join"):
                return ast.unparse(call.args[0]).startswith("map(plain, ")
            case ast.Name("list" | "tuple"):
                return self.is_safe(call.args[0], scope)
            case ast.Attribute(ast.Name("units"), _):
                return True  # a number and its unit
            case ast.Name(name):
                return self._returns_safely(name)
        return False

    def _returns_safely(self, name: str) -> bool:
        """Whether a function of the same file gives back what is safe."""
        for function in ast.walk(self.tree):
            if isinstance(function, ast.FunctionDef) and function.name == name:
                given = [n.value for n in own(function) if isinstance(n, ast.Return) and n.value]
                return bool(given) and all(self.is_safe(value, function) for value in given)
        return False

    def _is_safe_name(self, name: str, scope: ast.AST) -> bool:
        """Whether all that the function calls by this name is safe."""
        bound = [value for node in own(scope) for value in assigned(node, name)]
        return bool(bound) and all(self.is_safe(value, scope) for value in bound)


def number(piece: ast.FormattedValue) -> bool:
    """Whether a piece of an f-string is written as a number, which a text cannot be."""
    spec = ast.unparse(piece.format_spec).strip("f'\"") if piece.format_spec else ""
    return spec[-1:] in tuple(",%dfeg")


def own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, or of a module outside its functions."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node
            yield from own(node)
        elif isinstance(node, ast.ClassDef):
            yield from own(node)


def assigned(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """What is bound to a name, as far as it is one value."""
    match node:
        case ast.Assign([ast.Name(bound)], value) if bound == name:
            yield value
        case ast.NamedExpr(ast.Name(bound), value) if bound == name:
            yield value
        case ast.AnnAssign(ast.Name(bound), _, ast.expr() as value) if bound == name:
            yield value
        case ast.For(target, iterated) if name in names_of(target):
            yield iterated
        case ast.AugAssign(ast.Name(bound), _, value) if bound == name:
            yield value


def names_of(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def is_element(node: ast.Attribute) -> bool:
    value = node.value
    return isinstance(value, ast.Name) and value.id == "st" and node.attr in elements()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(APP)))
def test_what_the_page_renders_is_written_in_the_code_or_goes_through_plain(path: Path) -> None:
    assert list(Reader(path).faults()) == []


def test_markdown_of_ours_is_what_it_was_looked_through_for() -> None:
    found = Counter(
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "trusted"
    )
    assert found == OURS


@pytest.mark.parametrize(
    "forgotten",
    [
        "st.caption(text)",
        "st.caption(f'{text}')",
        "st.markdown(f':red[{text}]')",
        "place.warning(str(error))",
        "column.button(label='x', help=text)",
        "st.button(text + '!')",
        "st.tabs(names)",
        "st.segmented_control('Axis', names)",
        "st.segmented_control('Axis', names, format_func=str)",
        "st.selectbox('Axis', names, help=why)",
        "st.expander(text if text else plain(text))",
        "st.progress(0.5, told)",
        "st.spinner(told)",
        "st.toast(told)",
        "st.caption(', '.join(names))",
        "st.write(text)",
        "st.html(text)",
        "st.table(rows)",
        "st.markdown('x', unsafe_allow_html=True)",
        "rules = {'help': text}\nst.slider('x', **rules)",
        "press = st.button\npress(text)",
        "def f(text):\n    st.caption(text)",
        "def f(text):\n    if text:\n        text = plain(text)\n    st.caption(text or g())",
        "for name in names:\n    st.caption(name)",
    ],
)
def test_what_is_forgotten_is_found(forgotten: str) -> None:
    """A reader that finds nothing would let everything through."""
    assert list(Reader(APP / "toy.py", f"import streamlit as st\n{forgotten}").faults())


@pytest.mark.parametrize(
    "fine",
    [
        "st.caption('text')",
        "st.caption(plain(text))",
        "st.markdown(f'**{plain(text)}** of {n:,}')",
        "st.caption(LEGEND)",
        "st.button(f'{A[key]} {len(names)}', help=plain(why) or None)",
        "st.selectbox('Axis', names)",
        "st.button('x', help='\\n\\n'.join(map(plain, told)))",
        "st.code(text)",
        "knob.text(value)",
        "def f(text):\n    told = plain(text) if text else 'nothing'\n    st.caption(told)",
    ],
)
def test_what_is_fine_is_let_through(fine: str) -> None:
    assert not list(Reader(APP / "toy.py", f"import streamlit as st\n{fine}").faults())
