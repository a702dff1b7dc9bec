"""Shape comments that cannot lie: `x = self.proj(x)  # (B, N, D)` is checked while the model runs.

Rank and sizes must fit. A letter means one size within one call of `forward` (within one round, if
it first stands in a loop), and the size of the local variable of that name where there is one
(`B, N, D = x.shape`); a primed letter (H') means the size of its own line, and after ... there may
be any more. A line whose result has a shape that no tensor it reads has, must have a comment that
says so; so must a `return`, unless the docstring of its forward states shapes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor

from studio.analysis.names.shape_comments import REST, Statement, evaluate, statements


@dataclass
class Call:
    """One call of a forward: the statement under way, and what the letters mean in it.

    `said` is the line at which a letter was first used, `documented` whether the docstring of the
    forward states shapes.
    """

    under_way: Statement | None = None
    letters: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    documented: bool = False


@contextmanager
def checked(*folders: Path) -> Iterator[set[tuple[str, int]]]:
    """Check every forward of these folders that runs inside; yields the (file, line)s checked."""
    seen: set[tuple[str, int]] = set()

    def enter(frame: FrameType, event: str, arg: Any) -> Any:
        file = frame.f_code.co_filename
        if frame.f_code.co_name != "forward" or Path(file).parent not in folders:
            return None
        call = Call(shapes=_shapes(frame), documented="(B" in (frame.f_code.co_consts[0] or ""))

        def step(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "exception":
                call.under_way = None
            done, here = call.under_way, frame.f_lineno
            if done and (event == "return" or not done.first <= here <= done.last):
                values = {"return": arg} if event == "return" else frame.f_locals
                _check(call, done, values, frame, f"{file}:{done.first}")
                seen.update({(file, done.first)} if done.dims else ())
                call.under_way = None
            if event == "line" and call.under_way is None:
                _forget_round(call, here, _loops(file).get(here, here))
                call.under_way = _statements(file).get(here)
            return step

        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield seen
    finally:
        sys.settrace(before)


def _check(
    call: Call, done: Statement, values: dict[str, Any], frame: FrameType, where: str
) -> None:
    letters = call.letters | {k: v for k, v in frame.f_locals.items() if type(v) is int}
    for name in done.names:
        value = values.get(name)
        if not isinstance(value, Tensor):
            continue
        shape = tuple(value.shape)
        if done.dims is None:
            read = [call.shapes[one] for one in done.reads if one in call.shapes]
            said = shape in read or len(done.names) > 1 or (name == "return" and call.documented)
            assert said, f"{where}: {name} is now {shape}, unsaid"
        else:
            _compare(call, letters, done, shape, f"{where}: {name} is {shape}")
    call.shapes = _shapes(frame)


def _compare(
    call: Call, letters: dict[str, int], done: Statement, shape: tuple[int, ...], what: str
) -> None:
    sizes = done.dims or ()
    if sizes[-1:] == (REST,):
        sizes, shape = sizes[:-1], shape[: len(sizes) - 1]
    assert len(shape) == len(sizes), f"{what}, the comment says ({', '.join(sizes)})"
    for size, actual in zip(sizes, shape, strict=True):
        known = letters.get(size, evaluate(size, letters))
        assert known in (None, actual), f"{what}, but {size} is {known}"
        if "'" not in size:
            call.letters[size] = letters[size] = actual
            call.said.setdefault(size, done.first)


def _forget_round(call: Call, first: int, last: int) -> None:
    """At the head of a loop: its letters start anew."""
    for letter in [k for k, line in call.said.items() if first < line <= last]:
        del call.said[letter], call.letters[letter]


def _shapes(frame: FrameType) -> dict[str, tuple[int, ...]]:
    return {k: tuple(v.shape) for k, v in frame.f_locals.items() if isinstance(v, Tensor)}


@cache
def _loops(file: str) -> dict[int, int]:
    """The last line of every loop of a file by its first."""
    tree = ast.parse(Path(file).read_text())
    return {n.lineno: n.end_lineno or 0 for n in ast.walk(tree) if isinstance(n, ast.For)}


@cache
def _statements(file: str) -> dict[int, Statement]:
    """The assignments and returns of a file by their first line."""
    return statements(Path(file).read_text())
