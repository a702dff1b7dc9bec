"""A picture as SVG: the only renderer, for the page, for files and for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Literal

from studio.drawing.graph import Node
from studio.drawing.layout import (
    DETAIL,
    LABEL,
    SIGN,
    TITLE,
    WIDEST,
    Arrow,
    Box,
    Label,
    Picture,
    sign,
    title,
)
from studio.drawing.level import Point
from studio.drawing.text import shortened

Theme = Literal["page", "paper"]

# The hues are those of Okabe and Ito, which people with any colour vision tell apart; a kind is
# told by its shape as well: rounded box, pill, circle, dashed box.
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
}
FONT = "'Source Sans 3','Source Sans Pro',Inter,Helvetica,Arial,sans-serif"
BEND = 8.0  # the radius of a corner
TITLE_Y = 18.0
TIP = 6.5  # the length of an arrow's head

Paint = Callable[[str], str]


def svg(picture: Picture, *, selected: str = "", lit: str = "", theme: Theme = "page") -> str:
    """The picture as one SVG element, without anything from outside.

    On the "page" each colour is a CSS variable `--g-<name>` with its paper value to fall back on,
    and the nodes of ids `selected` and `lit` are marked; on "paper" colours are literal on white.
    """
    paint = _variable if theme == "page" else PAPER.__getitem__
    fed = _fed(picture)
    width, height = f"{picture.width:g}", f"{picture.height:g}"
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{FONT}" fill="{paint("ink")}">',
            "" if theme == "page" else '<rect width="100%" height="100%" fill="#ffffff"/>',
            *(_node(box, paint, (selected, lit), fed) for box in picture.boxes),
            '<g class="edges" stroke-width="1.3" pointer-events="none" aria-hidden="true">',
            *_wires(picture, paint),
            f'</g><g class="labels" font-size="{LABEL}" fill="{paint("muted")}" '
            'pointer-events="none" aria-hidden="true">',
            *(_label(label) for label in picture.labels),
            "</g></svg>",
        )
    )


def _variable(name: str) -> str:
    return f"var(--g-{name},{PAPER[name]})"


def _fed(picture: Picture) -> dict[str, list[str]]:
    """Which boxes each box feeds, as far as it is drawn."""
    found: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        found.setdefault(arrow.source, []).append(arrow.target)
    return found


def _node(box: Box, paint: Paint, marked: tuple[str, str], fed: dict[str, list[str]]) -> str:
    """A box with its texts; the group's name, role and title are for those who cannot see it, and
    `data-to` names the boxes that it feeds, for those who walk from one to the next by keys."""
    node = box.node
    selected, pressed = node.id in marked, str(node.id == marked[0]).lower()
    to = f' data-to="{escape(" ".join(fed[node.id]))}"' if node.id in fed else ""
    kind = f"node {node.kind}" + " block" * bool(node.children) + " open" * box.open
    expanded = f' aria-expanded="{str(box.open).lower()}"' if node.children else ""
    return (
        f'<g class="{kind}{" selected" * selected}" data-id="{escape(node.id)}"{to} '
        f'tabindex="0" role="button" aria-label="{escape(_spoken(node))}" '
        f'aria-pressed="{pressed}"{expanded}>'
        f"<title>{escape(_facts(node))}</title>"
        f"{''.join(_shape(box, paint, selected))}{''.join(_texts(box, paint))}</g>"
    )


def _spoken(node: Node) -> str:
    times = f"{node.repeat} times" if node.repeat > 1 else ""
    return ", ".join(filter(None, (node.label, node.detail, times, *node.facts)))


def _facts(node: Node) -> str:
    times = f" × {node.repeat}" if node.repeat > 1 else ""
    return "\n".join(filter(None, (node.label + times, node.detail, *node.facts)))


def _shape(box: Box, paint: Paint, selected: bool) -> Iterator[str]:
    """The rectangle, and behind it the cards of a repeated block."""
    kind = box.node.kind
    fill = paint("frame" if box.open else kind if kind != "output" else "input")
    line = "frame-line" if box.open else f"{kind if kind != 'output' else 'input'}-line"
    w, h = box.w - box.cards, box.h - box.cards
    radius = (
        {"module": 6.0, "parameter": 3.0, "fault": 6.0}.get(kind, h / 2) if not box.open else 10.0
    )
    stroke = f'stroke="{paint("selected" if selected else line)}"'
    for shift in (box.cards, box.cards / 2) if box.cards else ():
        yield (
            f'<rect x="{box.x + shift:g}" y="{box.y + box.cards - shift:g}" width="{w:g}" '
            f'height="{h:g}" rx="{radius:g}" fill="{fill}" {stroke}/>'
        )
    dash = ' stroke-dasharray="4 3"' if kind in ("parameter", "fault") else ""
    yield (
        f'<rect class="face" x="{box.x:g}" y="{box.y + box.cards:g}" width="{w:g}" height="{h:g}" '
        f'rx="{radius:g}" fill="{fill}" {stroke} stroke-width="{2.5 if selected else 1.2}"{dash}/>'
    )


def _texts(box: Box, paint: Paint) -> Iterator[str]:
    """What stands on a box: its name, below it a detail, and a chevron on a block."""
    node, top = box.node, box.y + box.cards
    if box.open:
        yield _chevron(box.x + 14, top + TITLE_Y - 4.5, True, paint)
        yield _text(box.x + 25, top + TITLE_Y, title(node), TITLE, "600", anchor="start")
        return
    w, middle = box.w - box.cards, top + (box.h - box.cards) / 2
    centre = box.x + w / 2
    if sign(node):
        yield _text(centre, middle + SIGN * 0.36, node.label, SIGN, "500")
        return
    if node.children:
        yield _chevron(box.x + 13, middle, False, paint)
        centre += 5
    name = middle + TITLE * 0.36 - (7.5 if node.detail else 0)
    size = TITLE if node.kind != "operation" else TITLE - 1
    yield _text(centre, name, title(node), size, "600" if node.children else "500")
    if node.detail:
        detail = shortened(node.detail, DETAIL, WIDEST)
        yield _text(centre, name + 15.5, detail, DETAIL, "400", fill=paint("muted"))


def _text(
    x: float, y: float, text: str, size: float, weight: str, fill: str = "", anchor: str = "middle"
) -> str:
    colour = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" '
        f'text-anchor="{anchor}"{colour}>{escape(text)}</text>'
    )


def _chevron(x: float, y: float, down: bool, paint: Paint) -> str:
    bend = "m-3.5-2 3.5 4 3.5-4" if down else "m-2-3.5 4 3.5-4 3.5"
    return (
        f'<path d="M{x:g} {y:g}{bend}" fill="none" stroke="{paint("muted")}" stroke-width="1.5" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _wires(picture: Picture, paint: Paint) -> Iterator[str]:
    """The lines that set out from one box as one path, so that their common part is drawn once."""
    faults = {box.node.id for box in picture.boxes if box.node.kind == "fault"}
    wires: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in picture.arrows:
        kind = "skip" if arrow.skip else "fault-line" if arrow.target in faults else "line"
        wires.setdefault((kind, arrow.source), []).append(arrow)
    for (kind, source), wire in sorted(wires.items(), key=lambda item: item[0][0] != "skip"):
        colour = paint(kind)
        yield (
            f'<g data-source="{escape(source)}"><path d="{"".join(map(_rounded, wire))}" '
            f'fill="none" stroke="{colour}"/><path d="{"".join(map(_tip, wire))}" '
            f'fill="{colour}"/></g>'
        )


def _tip(arrow: Arrow) -> str:
    """The head of an arrow, whose last piece runs along one axis."""
    (x0, y0), (x, y) = arrow.points[-2:]
    if abs(x - x0) < abs(y - y0):
        back = TIP if y < y0 else -TIP
        return f"M{x:g} {y:g}l-3 {back:g}h6z"
    back = TIP if x < x0 else -TIP
    return f"M{x:g} {y:g}l{back:g}-3v6z"


def _rounded(arrow: Arrow) -> str:
    """A line through the corners, each bent as far as the pieces beside it are long enough."""
    points = arrow.points
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        bend = min(BEND, _length(before, (x, y)) / 2, _length((x, y), after) / 2)
        a, b = _towards((x, y), before, bend), _towards((x, y), after, bend)
        path.append(f"L{a[0]:g} {a[1]:g}Q{x:g} {y:g} {b[0]:g} {b[1]:g}")
    path.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(path)


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Point, b: Point, far: float) -> Point:
    """`far` pixels from `a` on the way to `b`; the way runs along one axis."""
    share = far / (_length(a, b) or 1.0)
    return round(a[0] + (b[0] - a[0]) * share, 2), round(a[1] + (b[1] - a[1]) * share, 2)


def _label(label: Label) -> str:
    return f'<text x="{label.x:g}" y="{label.y:g}">{escape(label.text)}</text>'
