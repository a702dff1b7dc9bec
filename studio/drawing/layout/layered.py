"""The layout of a whole graph: from top to bottom, blocks within blocks.

Each open block is laid out on its own, from the innermost outwards. A tensor enters it at a port on
its upper edge and leaves it at a port on its lower edge, so that an edge runs through the frame to
the box that really takes or makes the tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from studio.drawing.graph import Edge, Graph, Node, without_dim_names
from studio.drawing.layout.block_graph import Block, End, Segment
from studio.drawing.layout.block_layout import lay_out_block
from studio.drawing.layout.box_text import LABEL, TITLE, frame_title, node_size
from studio.drawing.layout.geometry import BlockContent, BlockLayout, Point, Size
from studio.drawing.layout.ordering import order_rows
from studio.drawing.layout.ranking import rank_block
from studio.drawing.layout.u_shape import find_u_shape, lay_out_u
from studio.drawing.text_metrics import text_width
from studio.drawing.visible import Path, VisibleGraph, join_labels, visible_graph

MAX_LABEL_WIDTH = 280.0  # pixels, unless the label is a single shape
CARDS = 6.0  # how far the cards of a repeated block show behind it
MARGIN = 16.0


@dataclass(frozen=True)
class Box:
    """A node with its position, in pixels from the upper left corner of the picture, cards
    included. `depth`: the number of open blocks around it."""

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
    """An edge between two boxes as a line with right angles, from border to border. A `skip` runs
    in a lane of its own; `feedback` goes to the next repeat."""

    source: str
    target: str
    points: tuple[Point, ...]
    label: str = ""
    skip: bool = False
    feedback: bool = False


@dataclass(frozen=True)
class Label:
    """The shape that a box outputs, beside its arrow; (x, y) is the start of the base line."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """A graph laid out. `boxes`: from the outermost inwards; arrows and labels lie above them."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    labels: tuple[Label, ...]


def layout(graph: Graph, opened: frozenset[str] = frozenset()) -> Picture:
    """Lay out a graph with the blocks in `opened` open; ids of other nodes are ignored. Raises
    KeyError if an edge names a node that does not exist."""
    visible = visible_graph(graph, opened)
    paths = [tuple(_segments(visible, edge)) for edge in visible.edges]
    segments: dict[str, dict[Segment, None]] = {}
    for block, segment in chain.from_iterable(paths):
        segments.setdefault(block, {})[segment] = None
    texts = {node: _label_text(shapes) for node, shapes in visible.outputs.items()}
    labels = {node: text for node, text in texts.items() if text}
    plan = _lay_out(graph.root, _Visible(graph.root, visible, segments, labels))
    boxes = tuple(_boxes(plan, MARGIN, MARGIN, 0))
    return Picture(
        width=plan.layout.width + 2 * MARGIN,
        height=plan.layout.height + 2 * MARGIN,
        boxes=boxes,
        arrows=tuple(_arrows(visible, paths, plan, boxes)),
        labels=tuple(_labels(plan, MARGIN, MARGIN)),
    )


class _BlockSegment(NamedTuple):
    """A segment and the id of its block; "" is the root."""

    block: str
    segment: Segment


class _Visible(NamedTuple):
    """The visible graph, its segments by block, and its labels by node."""

    root: Node
    graph: VisibleGraph
    segments: dict[str, dict[Segment, None]]
    labels: dict[str, str]


@dataclass(frozen=True)
class _Plan:
    """A block laid out, with the plans of its open children."""

    nodes: tuple[Node, ...]
    layout: BlockLayout
    labels: dict[str, str]
    inner: dict[str, _Plan] = field(default_factory=dict)


def _segments(visible: VisibleGraph, edge: Edge) -> Iterator[_BlockSegment]:
    """An edge block by block: out of the blocks around its source, across the common block, and
    into the blocks around its target."""
    a, b = visible.paths[edge.source], visible.paths[edge.target]
    fork = next(i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q)
    for depth in reversed(range(fork, len(a) - 1)):
        segment = Segment(End("", a[depth + 1]), End("out", edge.source), edge.source)
        yield _BlockSegment(a[depth], segment)
    common = a[fork - 1] if fork else ""
    yield _BlockSegment(common, Segment(End("", a[fork]), End("", b[fork]), edge.source))
    for depth in range(fork, len(b) - 1):
        segment = Segment(End("in", edge.source), End("", b[depth + 1]), edge.source)
        yield _BlockSegment(b[depth], segment)


def _label_text(shapes: tuple[str, ...]) -> str:
    """The shapes that a box outputs, as one label. If it is too long, names of dimensions are
    dropped first, then the second shape; numbers are never cut."""
    plain = tuple(map(without_dim_names, shapes))
    texts = (join_labels(shapes), join_labels(plain), join_labels(plain, most=1))
    return next((text for text in texts if text_width(text, LABEL) <= MAX_LABEL_WIDTH), texts[-1])


def _lay_out(
    block: Node, visible: _Visible, input_order: tuple[str, ...] = (), upwards: bool = False
) -> _Plan:
    """Lay out a block and the blocks inside it. `input_order`: the nodes whose outputs enter it,
    from left to right."""
    top = block is visible.root
    block_graph = _block_graph(block, visible, input_order)
    ranked = rank_block(block_graph)
    ordered = order_rows(ranked)
    shape = find_u_shape(ranked) if top else None
    inner: dict[str, _Plan] = {}
    for child in block.children:
        if child.id in block_graph.open:
            if shape:
                incoming = shape.incoming(child.id)
            else:
                exits = {name: plan.layout.exits() for name, plan in inner.items()}
                incoming = ordered.incoming(child.id, exits)
            child_upwards = child.id in shape.upwards if shape else upwards
            inner[child.id] = _lay_out(child, visible, incoming, child_upwards)
    content = _content(block, visible, inner, upwards)
    laid_out = lay_out_u(shape, content) if shape else lay_out_block(ordered, content)
    return _Plan(block.children, laid_out, visible.labels, inner)


def _block_graph(block: Node, visible: _Visible, input_order: tuple[str, ...]) -> Block:
    children, paths = block.children, visible.graph.paths
    name = "" if block is visible.root else block.id
    return Block(
        children=tuple(child.id for child in children),
        segments=tuple(visible.segments.get(name, ())),
        open=frozenset(c.id for c in children if c.children and _is_open(c, paths)),
        late=frozenset(child.id for child in children if child.kind != "input"),
        parameters=frozenset(child.id for child in children if child.kind == "parameter"),
        input_order=input_order,
    )


def _is_open(block: Node, paths: Mapping[str, Path]) -> bool:
    return all(child.id in paths for child in block.children)


def _content(
    block: Node, visible: _Visible, inner: dict[str, _Plan], upwards: bool
) -> BlockContent:
    children, labels = block.children, visible.labels
    framed = block is not visible.root
    return BlockContent(
        sizes=_sizes(children, inner),
        inner={name: plan.layout for name, plan in inner.items()},
        label_widths={
            child.id: text_width(labels[child.id], LABEL) + 10
            for child in children
            if child.id in labels
        },
        network_outputs=frozenset(child.id for child in children if child.kind == "output"),
        title_width=text_width(frame_title(block), TITLE) + 40 if framed else 0.0,
        upwards=upwards,
    )


def _sizes(children: tuple[Node, ...], inner: Mapping[str, _Plan]) -> dict[str, Size]:
    """The sizes of the children. Closed modules of one block are equally wide, so that a column of
    them reads as one."""
    closed = {child.id: node_size(child) for child in children if child.id not in inner}
    common = max(
        (closed[c.id].w for c in children if c.kind == "module" and c.id in closed), default=0
    )
    sizes = {}
    for child in children:
        cards = CARDS if child.repeat > 1 else 0.0
        if child.id in inner:
            w, h = inner[child.id].layout.width, inner[child.id].layout.height
        else:
            w, h = closed[child.id].w, closed[child.id].h
            w = common if child.kind == "module" else w
        sizes[child.id] = Size(w + cards, h + cards, cards)
    return sizes


def _boxes(plan: _Plan, x: float, y: float, depth: int) -> Iterator[Box]:
    for node in plan.nodes:
        rect, inner = plan.layout.boxes[node.id], plan.inner.get(node.id)
        box = Box(node, x + rect.x, y + rect.y, rect.w, rect.h, inner is not None, depth)
        yield box
        if inner:
            yield from _boxes(inner, box.x, box.y + box.cards, depth + 1)


def _arrows(
    visible: VisibleGraph,
    paths: list[tuple[_BlockSegment, ...]],
    plan: _Plan,
    boxes: tuple[Box, ...],
) -> Iterator[Arrow]:
    """Each edge as one line, joined from its segments."""
    plans, origins = {"": plan}, {"": (MARGIN, MARGIN)}
    for box in boxes:
        if box.open:
            name = box.node.id
            around = visible.paths[name][-2] if box.depth else ""
            plans[name] = plans[around].inner[name]
            origins[name] = (box.x, box.y + box.cards)
    for edge, path in zip(visible.edges, paths, strict=True):
        points: list[Point] = []
        skip = False
        for block, segment in path:
            route = plans[block].layout.routes[segment]
            left, top = origins[block]
            points += [(left + x, top + y) for x, y in route.points]
            skip |= route.bypass
        corners = _corners(points)
        yield Arrow(edge.source, edge.target, corners, edge.label, skip, edge.feedback)


def _corners(points: list[Point]) -> tuple[Point, ...]:
    """The points without duplicates and without those on a straight line."""
    corners: list[Point] = []
    for x, y in points:
        if corners and abs(corners[-1][0] - x) < 0.6 and abs(corners[-1][1] - y) < 0.6:
            continue
        if len(corners) > 1 and _is_straight(corners[-2], corners[-1], (x, y)):
            corners.pop()
        corners.append((x, y))
    return tuple(corners)


def _is_straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[i] - b[i]) < 0.6 and abs(b[i] - c[i]) < 0.6 for i in (0, 1))


def _labels(plan: _Plan, x: float, y: float) -> Iterator[Label]:
    for node in plan.nodes:
        rect = plan.layout.boxes[node.id]
        if node.id in plan.labels:
            label_x, label_y = plan.layout.labels[node.id]
            yield Label(plan.labels[node.id], x + label_x, y + label_y)
        if node.id in plan.inner:
            cards = CARDS if node.repeat > 1 else 0.0
            yield from _labels(plan.inner[node.id], x + rect.x, y + rect.y + cards)
