"""The forms in which a picture is taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from studio.drawing.dot import dot
from studio.drawing.handout import handout
from studio.drawing.paper import paper
from studio.drawing.raster import png
from studio.drawing.sheet import Sheet


def _svg(sheet: Sheet) -> str:
    return paper(sheet) + "\n"


def _png(sheet: Sheet) -> bytes:
    return png(paper(sheet))


def _dot(sheet: Sheet) -> str:
    return dot(sheet.graph, sheet.opened, sheet.heading, sheet.marks)


PRINTS: Mapping[str, Callable[[Sheet], str | bytes]] = MappingProxyType(
    {"svg": _svg, "png": _png, "dot": _dot, "html": handout}
)
