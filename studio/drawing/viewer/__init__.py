"""The files with which a browser shows a graph: on the page, and in a file that was taken away."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from studio.drawing.decoration import heat_palette

# Each uses what those before it declare.
SCRIPT_FILES = ("patch.js", "motion.js", "walk.js", "hand.js", "graph.js")


def viewer_script() -> str:
    """The view's code as the text of one module, which exports the class View."""
    return "\n".join(map(viewer_file, SCRIPT_FILES))


def viewer_style() -> str:
    """The view's looks, with the colours of heat on a light and on a dark page."""
    light, dark = heat_palette(), heat_palette(dark=True)
    colours = (f"--g-{name}: light-dark({light[name]}, {dark[name]});" for name in light)
    return f"{viewer_file('graph.css')}.graph {{ {' '.join(colours)} }}"


@cache
def viewer_file(name: str) -> str:
    """The text of one of the files beside this one, such as `graph.js`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
