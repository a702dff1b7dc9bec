"""What makes a picture illegible, found one by one; of a good picture nothing is found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from studio.drawing.graph import Graph
from studio.drawing.layout.box_text import LABEL
from studio.drawing.layout.layered import Box, Picture
from studio.drawing.text_metrics import text_width

NEAR = 0.11  # places are rounded to a tenth of a pixel
Area = tuple[float, float, float, float]  # left, top, right, bottom


def faults(picture: Picture, graph: Graph) -> list[str]:
    """Boxes and texts that lie on each other, or that an arrow runs through."""
    return [*overlapping(picture, graph), *crossed(picture), *covered(picture), *struck(picture)]


def overlapping(picture: Picture, graph: Graph) -> Iterator[str]:
    """Boxes that lie on each other, and are not inside one another as their nodes are."""
    above = parents(graph)
    for a, b in combinations(picture.boxes, 2):
        if not (_holds(a, b) if a.node.id in above[b.node.id] else _apart(_area(a), _area(b))):
            yield f"box {a.node.id} lies on {b.node.id}"


def crossed(picture: Picture) -> Iterator[str]:
    """Closed boxes that an arrow runs through."""
    closed = [box for box in picture.boxes if not box.open]
    for arrow in picture.arrows:
        for (x0, y0), (x1, y1) in pairwise(arrow.points):
            for box in closed:
                across = max(x0, x1) > box.x + 1 and min(x0, x1) < box.x + box.w - 1
                along = max(y0, y1) > box.y + 1 and min(y0, y1) < box.y + box.h - 1
                if across and along:
                    yield f"{arrow.source} → {arrow.target} runs through {box.node.id}"


def covered(picture: Picture) -> Iterator[str]:
    """Labels that cover a closed box, or each other."""
    areas = labels(picture)
    closed = [(box.node.id, _area(box)) for box in picture.boxes if not box.open]
    for i, (text, area) in enumerate(areas):
        for name, other in closed + areas[i + 1 :]:
            if not _apart(area, other):
                yield f"label {text} covers {name}"


def struck(picture: Picture) -> Iterator[str]:
    """Labels that an arrow runs through."""
    lines = [line for arrow in picture.arrows for line in pairwise(arrow.points)]
    for text, (left, top, right, bottom) in labels(picture):
        for (x0, y0), (x1, y1) in lines:
            beside = max(x0, x1) <= left + NEAR or min(x0, x1) >= right - NEAR
            if not (beside or max(y0, y1) <= top + NEAR or min(y0, y1) >= bottom - NEAR):
                yield f"an arrow runs through {text}"


def crossings(picture: Picture) -> list[tuple[str, str]]:
    """Sources of two arrows that cross; those of one source or to one target run together."""
    across, down = [], []
    for arrow in picture.arrows:
        for (x0, y0), (x1, y1) in pairwise(arrow.points):
            (down if abs(x0 - x1) < NEAR else across).append((arrow, x0, y0, x1, y1))
    return [
        (a.source, b.source)
        for a, left, y, right, _ in across
        for b, x, top, _, bottom in down
        if a.source != b.source and a.target != b.target
        if min(left, right) + 1 < x < max(left, right) - 1
        if min(top, bottom) + 1 < y < max(top, bottom) - 1
    ]


def labels(picture: Picture) -> list[tuple[str, Area]]:
    """Each label and where its letters stand."""
    return [
        (la.text, (la.x, la.y - 8, la.x + text_width(la.text, LABEL), la.y + 2))
        for la in picture.labels
    ]


def parents(graph: Graph) -> dict[str, set[str]]:
    """The blocks around each node."""
    above: dict[str, set[str]] = {}
    for block in graph.root.walk():
        for node in block.walk():
            above.setdefault(node.id, set()).add(block.id)
    return above


def _area(box: Box) -> Area:
    return box.x, box.y, box.x + box.w, box.y + box.h


def _holds(outer: Box, inner: Box) -> bool:
    (a, b, c, d), (x0, y0, x1, y1) = _area(outer), _area(inner)
    return a <= x0 + NEAR and b <= y0 + NEAR and x1 <= c + NEAR and y1 <= d + NEAR


def _apart(one: Area, other: Area) -> bool:
    (a, b, c, d), (x0, y0, x1, y1) = one, other
    return c <= x0 + NEAR or x1 <= a + NEAR or d <= y0 + NEAR or y1 <= b + NEAR
