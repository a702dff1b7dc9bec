"""The files with which a browser shows a graph: on the page, and in a file that was taken away."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def part(name: str) -> str:
    """The text of one of the files beside this one, such as `graph.js`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
