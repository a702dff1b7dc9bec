"""A picture as SVG, for the page, for files and for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Literal, NamedTuple

from studio.drawing.decoration import (
    CHANGE_HUES,
    NO_MARK,
    NO_MARKS,
    Mark,
    change_symbol,
    heat_names,
    heat_palette,
    share_bar,
)
from studio.drawing.graph import Node
from studio.drawing.layout.box_text import (
    DETAIL,
    LABEL,
    SYMBOL,
    TITLE,
    detail_text,
    frame_title,
    title_text,
)
from studio.drawing.layout.geometry import Point
from studio.drawing.layout.layered import Arrow, Box, Label, Picture
from studio.drawing.node_table import unique_names
from studio.drawing.text_metrics import text_width

Theme = Literal["page", "paper"]

# Okabe and Ito's hues, distinct in any colour vision. The shape (rounded box, pill, circle, dashed
# box) shows the kind as well.
PAPER = {
    "ink": "#1f2933",
    "muted": "#5b6773",
    "line": "#4a5561",
    "skip": "#0072b2",
    "frame": "#f6f8fa",
    "frame-line": "#c3ccd6",
    "module": "#e7f0f9",
    "module-line": "#5f93bd",
    "operation": "#ffffff",
    "operation-line": "#4a5561",
    "parameter": "#fdf1dc",
    "parameter-line": "#c78a1b",
    "fault": "#fbe3e0",
    "fault-line": "#c0392b",
    "input": "#eceff2",
    "input-line": "#8793a0",
    "selected": "#d55e00",
    "bar": "#33658a",
    "more": "#0067a3",
    "more-fill": "#d3e7f5",
    "less": "#b5480a",
    "less-fill": "#fbe2d0",
    "modified": "#8c3d72",
} | heat_palette()
FONT = "'Source Sans 3','Source Sans Pro',Inter,Helvetica,Arial,sans-serif"
CORNER_RADIUS = 8.0  # of a line
TITLE_Y = 18.0  # base line of the title of an open block, below its upper edge
ARROW_HEAD = 6.5  # length in pixels

Paint = Callable[[str], str]


def svg(
    picture: Picture,
    *,
    selected: str = "",
    highlighted: str = "",
    theme: Theme = "page",
    marks: Mapping[str, Mark] = NO_MARKS,
) -> str:
    """The picture as one self-contained SVG element.

    `theme`: "page" makes each colour a CSS variable `--g-<name>` with its paper value as fallback;
    "paper" uses literal colours on white. `selected` and `highlighted`: ids of nodes to highlight.
    `marks`: decorations by node id.
    """
    paint = _variable if theme == "page" else PAPER.__getitem__
    near = _neighbours(picture)
    width, height = f"{picture.width:g}", f"{picture.height:g}"
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{FONT}" fill="{paint("ink")}">',
            "" if theme == "page" else '<rect width="100%" height="100%" fill="#ffffff"/>',
            *(
                _node(
                    box,
                    paint,
                    (selected, highlighted),
                    near[box.node.id],
                    marks.get(box.node.id, NO_MARK),
                )
                for box in picture.boxes
            ),
            '<g class="edges" stroke-width="1.3" pointer-events="none" aria-hidden="true">',
            *_edges(picture, paint, marks),
            f'</g><g class="labels" font-size="{LABEL}" fill="{paint("muted")}" '
            'pointer-events="none" aria-hidden="true">',
            *(_label(label) for label in picture.labels),
            "</g></svg>",
        )
    )


def _variable(name: str) -> str:
    return f"var(--g-{name},{PAPER[name]})"


class _Neighbours(NamedTuple):
    """The names of the boxes that feed a box, and the ids of the boxes that it feeds."""

    sources: list[str]
    targets: list[str]


def _neighbours(picture: Picture) -> dict[str, _Neighbours]:
    names = unique_names([box.node for box in picture.boxes])
    found = {name: _Neighbours([], []) for name in names}
    for arrow in picture.arrows:
        found[arrow.source].targets.append(arrow.target)
        found[arrow.target].sources.append(names[arrow.source])
    return found


def _node(box: Box, paint: Paint, marked: tuple[str, str], near: _Neighbours, mark: Mark) -> str:
    """A box with its texts as a group. Name, role and title are for screen readers; `data-to` lists
    the ids of the boxes that it feeds, for keyboard navigation."""
    node = box.node
    selected, pressed = node.id in marked, str(node.id == marked[0]).lower()
    to = f' data-to="{escape(" ".join(near.targets))}"' if near.targets else ""
    kind = f"node {node.kind}" + " block" * bool(node.children) + " open" * box.open
    kind += f" {mark.change}" if mark.change else ""
    expanded = f' aria-expanded="{str(box.open).lower()}"' if node.children else ""
    parts = (
        _shape(box, paint, selected, mark),
        _texts(box, paint, mark),
        _decorations(box, paint, mark),
    )
    return (
        f'<g class="{kind}{" selected" * selected}" data-id="{escape(node.id)}"{to} '
        f'tabindex="0" role="button" aria-label="{escape(_aria_label(node, near, mark))}" '
        f'aria-pressed="{pressed}"{expanded}>'
        f"<title>{escape(_tooltip(node, mark))}</title>{''.join(map(''.join, parts))}</g>"
    )


def _aria_label(node: Node, near: _Neighbours, mark: Mark) -> str:
    times = f"{node.repeat} times" if node.repeat > 1 else ""
    fed = f"fed by {' and '.join(near.sources)}" if near.sources else ""
    return ", ".join(filter(None, (node.label, node.detail, times, fed, *node.facts, mark.note)))


def _tooltip(node: Node, mark: Mark) -> str:
    times = f" × {node.repeat}" if node.repeat > 1 else ""
    return "\n".join(filter(None, (node.label + times, node.detail, *node.facts, mark.note)))


def _shape(box: Box, paint: Paint, selected: bool, mark: Mark) -> Iterator[str]:
    """The rectangle, and the cards behind a repeated block."""
    fill, line = _colours(box, mark)
    w, h = box.w - box.cards, box.h - box.cards
    look = (
        f'height="{h:g}" rx="{_radius(box):g}" fill="{paint(fill)}" '
        f'stroke="{paint("selected" if selected else line)}"'
    )
    for shift in (box.cards, box.cards / 2) if box.cards else ():
        yield (
            f'<rect x="{box.x + shift:g}" y="{box.y + box.cards - shift:g}" width="{w:g}" {look}/>'
        )
    dashed = box.node.kind in ("parameter", "fault") or mark.change == "removed"
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    yield (
        f'<rect class="face" x="{box.x:g}" y="{box.y + box.cards:g}" width="{w:g}" {look} '
        f'stroke-width="{2.5 if selected else 1.2}"{dash}/>'
    )


def _radius(box: Box) -> float:
    if box.open:
        return 10.0
    known = {"module": 6.0, "parameter": 3.0, "fault": 6.0}
    return known.get(box.node.kind, (box.h - box.cards) / 2)


def _colours(box: Box, mark: Mark) -> tuple[str, str]:
    """The names of the fill and the border colour. On a heat the border has the text colour: cards
    of one colour would merge. In a difference, unchanged boxes are plain."""
    kind = box.node.kind if box.node.kind != "output" else "input"
    line = "frame-line" if box.open else f"{kind}-line"
    if mark.change in CHANGE_HUES:
        plain = "frame" if box.open else "operation"
        hue, quiet = CHANGE_HUES[mark.change], box.open or mark.change in ("removed", "modified")
        return plain if quiet else f"{hue}-fill", hue
    if box.open:
        return "frame", line
    if mark.change:
        return "operation", "frame-line"
    return heat_names(mark.heat) if mark.heat is not None else (kind, line)


def _texts(box: Box, paint: Paint, mark: Mark) -> Iterator[str]:
    """The texts of a box: title and detail, and the chevron of a block."""
    node, top = box.node, box.y + box.cards
    if box.open:
        yield _chevron(box.x + 14, top + TITLE_Y - 4.5, True, paint("muted"))
        yield _text(box.x + 25, top + TITLE_Y, frame_title(node), TITLE, "600", anchor="start")
        return
    w, middle = box.w - box.cards, top + (box.h - box.cards) / 2
    centre = box.x + w / 2
    ink = _text_colour(paint, mark)
    if node.is_symbol:
        yield _text(centre, middle + SYMBOL * 0.36, node.label, SYMBOL, "500", fill=ink)
        return
    if node.children:
        yield _chevron(box.x + 13, middle, False, ink or paint("muted"))
        centre += 5
    name = middle + TITLE * 0.36 - (7.5 if node.detail else 0) - _text_lift(box, mark)
    size = TITLE if node.kind != "operation" else TITLE - 1
    yield _text(centre, name, title_text(node), size, "600" if node.children else "500", fill=ink)
    if node.detail:
        yield _text(
            centre, name + 15.5, detail_text(node), DETAIL, "400", fill=ink or paint("muted")
        )


def _text_colour(paint: Paint, mark: Mark) -> str:
    """The text colour of a decorated box; empty for the default."""
    if mark.heat is not None:
        return paint(heat_names(mark.heat)[1])
    if mark.change in CHANGE_HUES:
        return paint("muted" if mark.change == "removed" else "ink")
    return ""


def _text_lift(box: Box, mark: Mark) -> float:
    """How far the texts move up to make room for a bar."""
    return 2.0 if mark.share is not None and not box.open else 0.0


def _decorations(box: Box, paint: Paint, mark: Mark) -> Iterator[str]:
    """The bar of a share and the sign of a change: at the edges of a closed box, beside the title
    of an open one, where no line runs."""
    node, top = box.node, box.y + box.cards
    if node.is_symbol:
        return
    w, h, wide = box.w - box.cards, box.h - box.cards, text_width(frame_title(node), TITLE)
    if mark.share is not None:
        fill = paint(heat_names(mark.heat)[1] if mark.heat is not None and not box.open else "bar")
        inset = max(9.0, _radius(box) * 0.8)
        if box.open:
            yield from share_bar(box.x + 25, top + TITLE_Y + 4.5, wide, mark.share, fill)
        else:
            yield from share_bar(box.x + inset, top + h - 6, w - 2 * inset, mark.share, fill)
    if mark.change in CHANGE_HUES:
        x, y = (box.x + 33 + wide, TITLE_Y - 4.5) if box.open else (box.x + w - 10, h / 2)
        yield change_symbol(mark.change, x, top + y, paint(CHANGE_HUES[mark.change]))


def _text(
    x: float, y: float, text: str, size: float, weight: str, fill: str = "", anchor: str = "middle"
) -> str:
    colour = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" '
        f'text-anchor="{anchor}"{colour}>{escape(text)}</text>'
    )


def _chevron(x: float, y: float, down: bool, colour: str) -> str:
    bend = "m-3.5-2 3.5 4 3.5-4" if down else "m-2-3.5 4 3.5-4 3.5"
    return (
        f'<path d="M{x:g} {y:g}{bend}" fill="none" stroke="{colour}" stroke-width="1.5" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _edges(picture: Picture, paint: Paint, marks: Mapping[str, Mark]) -> Iterator[str]:
    """The arrows from one box as one path, so that their common part is drawn once."""
    faults = {box.node.id for box in picture.boxes if box.node.kind == "fault"}
    gone = {name for name, mark in marks.items() if mark.change == "removed"}
    wires: dict[tuple[str, bool, str], list[Arrow]] = {}
    for arrow in picture.arrows:
        kind = "skip" if arrow.skip else "fault-line" if arrow.target in faults else "line"
        kind = "less" if gone & {arrow.source, arrow.target} else kind
        wires.setdefault((kind, arrow.feedback, arrow.source), []).append(arrow)
    for (kind, feedback, source), wire in sorted(
        wires.items(), key=lambda item: item[0][0] != "skip"
    ):
        colour, dash = paint(kind), ' stroke-dasharray="5 4"' if kind == "less" or feedback else ""
        tooltip = "<title>to the next repeat</title>" if feedback else ""
        yield (
            f'<g data-source="{escape(source)}">{tooltip}'
            f'<path d="{"".join(map(_rounded_line, wire))}" fill="none" stroke="{colour}"{dash}/>'
            f'<path d="{"".join(map(_arrow_head, wire))}" fill="{colour}"/></g>'
        )


def _arrow_head(arrow: Arrow) -> str:
    """The head of an arrow, whose last piece is horizontal or vertical."""
    (x0, y0), (x, y) = arrow.points[-2:]
    if abs(x - x0) < abs(y - y0):
        back = ARROW_HEAD if y < y0 else -ARROW_HEAD
        return f"M{x:g} {y:g}l-3 {back:g}h6z"
    back = ARROW_HEAD if x < x0 else -ARROW_HEAD
    return f"M{x:g} {y:g}l{back:g}-3v6z"


def _rounded_line(arrow: Arrow) -> str:
    """The line through the corners, rounded as far as the adjacent pieces allow."""
    points = arrow.points
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        bend = min(CORNER_RADIUS, _length(before, (x, y)) / 2, _length((x, y), after) / 2)
        a, b = _point_towards((x, y), before, bend), _point_towards((x, y), after, bend)
        path.append(f"L{a[0]:g} {a[1]:g}Q{x:g} {y:g} {b[0]:g} {b[1]:g}")
    path.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(path)


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _point_towards(a: Point, b: Point, distance: float) -> Point:
    """The point `distance` pixels from `a` towards `b`, along one axis."""
    share = distance / (_length(a, b) or 1.0)
    return round(a[0] + (b[0] - a[0]) * share, 2), round(a[1] + (b[1] - a[1]) * share, 2)


def _label(label: Label) -> str:
    return f'<text x="{label.x:g}" y="{label.y:g}">{escape(label.text)}</text>'
