"""The files with which a browser shows a graph: on the page, and in a file that was taken away."""

from __future__ import annotations

from functools import cache
from pathlib import Path

# Each uses what those before it declare.
PARTS = ("patch.js", "motion.js", "walk.js", "hand.js", "graph.js")


def script() -> str:
    """The view's code as the text of one module, which exports the class View."""
    return "\n".join(map(part, PARTS))


@cache
def part(name: str) -> str:
    """The text of one of the files beside this one, such as `graph.js`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
