"""Where everything stands in a picture of a graph: top to bottom, blocks within blocks.

Each open block is laid out on its own, from the innermost outwards. Data enters it at ports on its
upper edge and leaves it at ports on its lower edge, one for each tensor, so that an edge runs
through the frame to the box that really makes or takes the data. A connection beside which a longer
way exists (a residual, a U-Net's skip) runs in a lane at the side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from studio.drawing.graph import Edge, Graph, Node, without_dim_names
from studio.drawing.layout.block_graph import Key, Passage, Scheme, Sketch
from studio.drawing.layout.block_layout import Content, Level, Point, Size, arranged
from studio.drawing.layout.u_shape import bent, horseshoe
from studio.drawing.text_metrics import text_width, truncate
from studio.drawing.visible import Path, VisibleGraph, join_labels, visible_graph

TITLE, DETAIL, SYMBOL, LABEL = 13.0, 11.0, 16.0, 10.5  # font sizes in pixels
MAX_TITLE_WIDTH = 240.0  # of a name, in pixels
MAX_DETAIL_WIDTH = 280.0  # of the line below it
MAX_LABEL_WIDTH = 280.0  # of a label, unless it is one shape alone
CARDS = 6.0  # how far the cards of a repeated block look out behind it
MARGIN = 16.0


@dataclass(frozen=True)
class Box:
    """A node where it stands, in pixels from the picture's upper left; cards are included."""

    node: Node
    x: float
    y: float
    w: float
    h: float
    open: bool
    depth: int

    @property
    def cards(self) -> float:
        return CARDS if self.node.repeat > 1 else 0.0


@dataclass(frozen=True)
class Arrow:
    """A connection between two boxes: corners from border to border, axis by axis. A `skip` has a
    lane of its own, `again` is what flows back for the next repeat."""

    source: str
    target: str
    points: tuple[Point, ...]
    label: str = ""
    skip: bool = False
    feedback: bool = False


@dataclass(frozen=True)
class Label:
    """The shape that a box hands on, written beside its arrow; (x, y) starts the base line."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """A graph laid out: boxes from the outermost inwards, then arrows and labels above them."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    labels: tuple[Label, ...]


def layout(graph: Graph, opened: frozenset[str] = frozenset()) -> Picture:
    """Lay a graph out with the blocks named in `opened` open. Names of other nodes do nothing."""
    seen = visible_graph(graph, opened)
    legs = [tuple(_legs(seen, edge)) for edge in seen.edges]
    passages: dict[str, dict[Passage, None]] = {}
    for block, passage in chain.from_iterable(legs):
        passages.setdefault(block, {})[passage] = None
    written = {node: _legible(texts) for node, texts in seen.outputs.items()}
    labels = {node: text for node, text in written.items() if text}
    plan = _planned(graph.root, _Sheet(graph.root, seen, passages, labels))
    boxes = tuple(_boxes(plan, MARGIN, MARGIN, 0))
    return Picture(
        width=plan.level.width + 2 * MARGIN,
        height=plan.level.height + 2 * MARGIN,
        boxes=boxes,
        arrows=tuple(_arrows(seen, legs, plan, boxes)),
        labels=tuple(_written(plan, MARGIN, MARGIN)),
    )


def node_size(node: Node) -> Size:
    """How large a closed box is, so that its texts fit."""
    label = truncate(node.label, TITLE, MAX_TITLE_WIDTH)
    if node.is_symbol:
        return Size(26.0, 26.0)
    width = max(text_width(label, TITLE), text_width(detail_text(node), DETAIL))
    height = (42.0 if node.detail else 30.0) if node.kind != "operation" else 26.0
    if node.kind == "operation":
        return Size(width + 26, 40.0 if node.detail else 26.0)
    if node.children:
        width += 18 + (text_width(f"× {node.repeat}", TITLE) + 10 if node.repeat > 1 else 0)
    return Size(max(width + 28, 72.0), height)


def detail_text(node: Node) -> str:
    """The line below a box's name; where it is too long, axes lose their names first."""
    fits = text_width(node.detail, DETAIL) <= MAX_DETAIL_WIDTH
    return (
        node.detail if fits else truncate(without_dim_names(node.detail), DETAIL, MAX_DETAIL_WIDTH)
    )


def title_text(node: Node) -> str:
    """The name of a box, and how often it repeats."""
    name = truncate(node.label, TITLE, MAX_TITLE_WIDTH)
    return f"{name} × {node.repeat}" if node.repeat > 1 else name


def frame_title(node: Node) -> str:
    """What stands on the frame of an open block."""
    return " · ".join(filter(None, (title_text(node), node.name)))


Leg = tuple[str, Passage]  # a piece of an edge: through which block, and how


class _Sheet(NamedTuple):
    root: Node
    seen: VisibleGraph
    passages: dict[str, dict[Passage, None]]
    labels: dict[str, str]


@dataclass(frozen=True)
class _Plan:
    """A block laid out, with the blocks that are open in it."""

    nodes: tuple[Node, ...]
    level: Level
    labels: dict[str, str]
    inner: dict[str, _Plan] = field(default_factory=dict)


def _legs(seen: VisibleGraph, edge: Edge) -> Iterator[Leg]:
    """An edge block by block: out of the blocks around its source, over, in to its target."""
    a, b = seen.paths[edge.source], seen.paths[edge.target]
    fork = next(i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q)
    for depth in reversed(range(fork, len(a) - 1)):
        yield a[depth], Passage(Key("", a[depth + 1]), Key("out", edge.source), edge.source)
    around = a[fork - 1] if fork else ""
    yield around, Passage(Key("", a[fork]), Key("", b[fork]), edge.source)
    for depth in range(fork, len(b) - 1):
        yield b[depth], Passage(Key("in", edge.source), Key("", b[depth + 1]), edge.source)


def _legible(labels: tuple[str, ...]) -> str:
    """What a box hands on, in as many words as there is room for: axes lose their names before the
    second tensor is left out, and numbers are never cut."""
    plainly = tuple(map(without_dim_names, labels))
    texts = (join_labels(labels), join_labels(plainly), join_labels(plainly, most=1))
    return next((text for text in texts if text_width(text, LABEL) <= MAX_LABEL_WIDTH), texts[-1])


def _planned(
    block: Node, sheet: _Sheet, entries: tuple[str, ...] = (), rising: bool = False
) -> _Plan:
    """A block laid out, into which the data of `entries` comes in that order from the left."""
    children, top = block.children, block is sheet.root
    scheme = Scheme(
        children=tuple(child.id for child in children),
        passages=tuple(sheet.passages.get("" if top else block.id, ())),
        open=frozenset(c.id for c in children if c.children and _is_open(c, sheet.seen.paths)),
        late=frozenset(child.id for child in children if child.kind != "input"),
        aside=frozenset(child.id for child in children if child.kind == "parameter"),
        entries=entries,
    )
    sketch = Sketch(scheme)
    shoe = horseshoe(sketch) if top else None
    inner: dict[str, _Plan] = {}
    for child in children:
        if child.id in scheme.open:
            docks = {name: plan.level.departures() for name, plan in inner.items()}
            come = shoe.arrivals(child.id) if shoe else sketch.arrivals(child.id, docks)
            up = child.id in shoe.rising if shoe else rising
            inner[child.id] = _planned(child, sheet, come, up)
    content = Content(
        sizes=_sizes(children, inner),
        docks={name: plan.level for name, plan in inner.items()},
        reaches={
            child.id: text_width(sheet.labels[child.id], LABEL) + 10
            for child in children
            if child.id in sheet.labels
        },
        ends=frozenset(child.id for child in children if child.kind == "output"),
        heading=0.0 if top else text_width(frame_title(block), TITLE) + 40,
        rising=rising,
    )
    level = bent(shoe, content) if shoe else arranged(sketch, content)
    return _Plan(children, level, sheet.labels, inner)


def _is_open(block: Node, paths: dict[str, Path]) -> bool:
    return all(child.id in paths for child in block.children)


def _sizes(children: tuple[Node, ...], inner: dict[str, _Plan]) -> dict[str, Size]:
    """Closed modules of one level are equally wide: a column of them reads as one."""
    closed = {child.id: node_size(child) for child in children if child.id not in inner}
    even = max(
        (closed[c.id].w for c in children if c.kind == "module" and c.id in closed), default=0
    )
    sizes = {}
    for child in children:
        cards = CARDS if child.repeat > 1 else 0.0
        if child.id in inner:
            w, h = inner[child.id].level.width, inner[child.id].level.height
        else:
            w, h = closed[child.id].w, closed[child.id].h
            w = even if child.kind == "module" else w
        sizes[child.id] = Size(w + cards, h + cards, cards)
    return sizes


def _boxes(plan: _Plan, x: float, y: float, depth: int) -> Iterator[Box]:
    for node in plan.nodes:
        spot, inner = plan.level.spots[node.id], plan.inner.get(node.id)
        box = Box(node, x + spot.x, y + spot.y, spot.w, spot.h, inner is not None, depth)
        yield box
        if inner:
            yield from _boxes(inner, box.x, box.y + box.cards, depth + 1)


def _arrows(
    seen: VisibleGraph, legs: list[tuple[Leg, ...]], plan: _Plan, boxes: tuple[Box, ...]
) -> Iterator[Arrow]:
    """Each edge as one line, from the pieces that run through one block each."""
    plans, origins = {"": plan}, {"": (MARGIN, MARGIN)}
    for box in boxes:
        if box.open:
            name = box.node.id
            around = seen.paths[name][-2] if box.depth else ""
            plans[name] = plans[around].inner[name]
            origins[name] = (box.x, box.y + box.cards)
    for edge, way in zip(seen.edges, legs, strict=True):
        points: list[Point] = []
        skip = False
        for block, passage in way:
            channel = plans[block].level.routes[passage]
            left, top = origins[block]
            points += [(left + x, top + y) for x, y in channel.points]
            skip |= channel.skip
        yield Arrow(edge.source, edge.target, _corners(points), edge.label, skip, edge.feedback)


def _corners(points: list[Point]) -> tuple[Point, ...]:
    """The points at which a line turns, without those on its way."""
    kept: list[Point] = []
    for x, y in points:
        if kept and abs(kept[-1][0] - x) < 0.6 and abs(kept[-1][1] - y) < 0.6:
            continue
        if len(kept) > 1 and _straight(kept[-2], kept[-1], (x, y)):
            kept.pop()
        kept.append((x, y))
    return tuple(kept)


def _straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[axis] - b[axis]) < 0.6 and abs(b[axis] - c[axis]) < 0.6 for axis in (0, 1))


def _written(plan: _Plan, x: float, y: float) -> Iterator[Label]:
    for node in plan.nodes:
        spot = plan.level.spots[node.id]
        if node.id in plan.labels:
            label_x, label_y = plan.level.labels[node.id]
            yield Label(plan.labels[node.id], x + label_x, y + label_y)
        if node.id in plan.inner:
            cards = CARDS if node.repeat > 1 else 0.0
            yield from _written(plan.inner[node.id], x + spot.x, y + spot.y + cards)
