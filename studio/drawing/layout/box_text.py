"""The texts on a box, their font sizes, and the size that a closed box needs for them."""

from __future__ import annotations

from studio.drawing.graph import Node, without_dim_names
from studio.drawing.layout.geometry import Size
from studio.drawing.text_metrics import text_width, truncate

TITLE, DETAIL, SYMBOL, LABEL = 13.0, 11.0, 16.0, 10.5  # font sizes in pixels
MAX_TITLE_WIDTH = 240.0  # pixels, as all widths
MAX_DETAIL_WIDTH = 280.0
MIN_MODULE_WIDTH = 72.0
SYMBOL_SIZE = 26.0


def node_size(node: Node) -> Size:
    """The size of a closed box that fits its texts."""
    if node.is_symbol:
        return Size(SYMBOL_SIZE, SYMBOL_SIZE)
    label = truncate(node.label, TITLE, MAX_TITLE_WIDTH)
    width = max(text_width(label, TITLE), text_width(detail_text(node), DETAIL))
    if node.kind == "operation":
        return Size(width + 26, 40.0 if node.detail else 26.0)
    if node.children:
        width += 18 + (text_width(f"× {node.repeat}", TITLE) + 10 if node.repeat > 1 else 0)
    return Size(max(width + 28, MIN_MODULE_WIDTH), 42.0 if node.detail else 30.0)


def title_text(node: Node) -> str:
    """The label of a box, and its number of repeats."""
    label = truncate(node.label, TITLE, MAX_TITLE_WIDTH)
    return f"{label} × {node.repeat}" if node.repeat > 1 else label


def detail_text(node: Node) -> str:
    """The line below the label. If it is too long, names of dimensions are dropped first."""
    if text_width(node.detail, DETAIL) <= MAX_DETAIL_WIDTH:
        return node.detail
    return truncate(without_dim_names(node.detail), DETAIL, MAX_DETAIL_WIDTH)


def frame_title(node: Node) -> str:
    """The title on the frame of an open block."""
    return " · ".join(filter(None, (title_text(node), node.name)))
