"""JavaScript, CSS and HTML of the interactive graph viewer, on the page and in exported files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from studio.drawing.decoration import heat_palette

# In this order: each file uses declarations of the files before it.
SCRIPT_FILES = ("patch.js", "motion.js", "keyboard.js", "pointer.js", "graph.js")


def viewer_script() -> str:
    """The viewer as the source of one JavaScript module that exports the class View."""
    return "\n".join(map(viewer_file, SCRIPT_FILES))


def viewer_style() -> str:
    """The viewer's CSS, with the heat colours of the light and the dark theme."""
    light, dark = heat_palette(), heat_palette(dark=True)
    colours = (f"--g-{name}: light-dark({light[name]}, {dark[name]});" for name in light)
    return f"{viewer_file('graph.css')}.graph {{ {' '.join(colours)} }}"


@cache
def viewer_file(name: str) -> str:
    """The text of a file in this folder, such as `graph.js`. Raises OSError if it is missing."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
