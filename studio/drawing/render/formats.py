"""The forms in which a picture is taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from studio.drawing.figure import Sheet
from studio.drawing.render.dot import dot
from studio.drawing.render.html import handout
from studio.drawing.render.png import png
from studio.drawing.render.print_svg import paper


def _svg(sheet: Sheet) -> str:
    return paper(sheet) + "\n"


def _png(sheet: Sheet) -> bytes:
    return png(paper(sheet))


def _dot(sheet: Sheet) -> str:
    return dot(sheet.graph, sheet.opened, sheet.heading, sheet.marks)


PRINTS: Mapping[str, Callable[[Sheet], str | bytes]] = MappingProxyType(
    {"svg": _svg, "png": _png, "dot": _dot, "html": handout}
)
