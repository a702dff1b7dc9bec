"""The export formats of a figure, by file extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from studio.drawing.figure import Figure
from studio.drawing.render.dot import dot
from studio.drawing.render.html import html
from studio.drawing.render.png import png
from studio.drawing.render.print_svg import print_svg


def _svg(figure: Figure) -> str:
    return print_svg(figure) + "\n"


def _png(figure: Figure) -> bytes:
    return png(print_svg(figure))


def _dot(figure: Figure) -> str:
    return dot(figure.graph, figure.opened, figure.heading, figure.marks)


FORMATS: Mapping[str, Callable[[Figure], str | bytes]] = MappingProxyType(
    {"svg": _svg, "png": _png, "dot": _dot, "html": html}
)
