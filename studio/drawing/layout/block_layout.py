"""The phases of one block in a row, and its coordinates in pixels.

Between two rows is a channel, in which lines run sideways on tracks; no box is there. Bypasses run
in lanes at the sides. So no line crosses a box or a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.drawing.layout.block_graph import End, Segment
from studio.drawing.layout.geometry import (
    PAD,
    STUB,
    TEXT,
    TIP,
    TITLE_BAR,
    TRACK,
    BlockContent,
    BlockLayout,
    Point,
    Rect,
    Route,
)
from studio.drawing.layout.ordering import Ordered
from studio.drawing.layout.placement import Placed, place
from studio.drawing.layout.routing import ChannelWire, Routed, route

LABEL_GAP = 5.0  # between a line and its label


@dataclass(frozen=True)
class Frame:
    """The rows of a block, `tops` and `heights`; its own height and width; and the x of its left
    edge in the coordinates of placement."""

    tops: list[float]
    heights: list[float]
    height: float
    left: float
    width: float


def lay_out_block(ordered: Ordered, content: BlockContent) -> BlockLayout:
    """Phases 3 and 4 of a block whose open children are laid out, then its coordinates."""
    routed = route(place(ordered, content))
    layout = _coordinates(routed, _frame(routed))
    return layout.upside_down() if content.upwards else layout


def _coordinates(routed: Routed, frame: Frame) -> BlockLayout:
    placed = routed.placed
    ranked, content = placed.ordered.ranked, placed.content
    boxes = {end.name: _box(placed, frame, end) for end in ranked.ends if not end.port}
    routes = {s: _route(routed, frame, boxes, s) for s in ranked.segments}
    labels = {
        name: (box.x + content.label_x(name) + LABEL_GAP, box.y + box.h + 14)
        for name, box in boxes.items()
    }
    for target, segment in ranked.companions.items():
        name, beside = segment.tail.name, boxes[target]
        w, h, _ = content.sizes[name]
        y = beside.y + beside.h / 2
        boxes[name] = box = Rect(beside.x - content.companion_width(name), y - h / 2, w, h)
        routes[segment] = Route(((box.x + w, y), (beside.x, y)), bypass=False)
        labels[name] = (box.x + w + 4, y - 5)
    ins, outs = (
        {end.name: placed.x[v] - frame.left for end, v in ranked.vertex.items() if end.port == port}
        for port in ("in", "out")
    )
    return BlockLayout(frame.width, frame.height, boxes, ins, outs, routes, labels)


def _frame(routed: Routed) -> Frame:
    """The rows from the top down, each with its channel below, and the edges at the sides."""
    placed = routed.placed
    ranked, content = placed.ordered.ranked, placed.content
    y, tops, heights = 0.0, [], []
    for row, vertices in enumerate(placed.ordered.rows):
        names = [ranked.ends[vertex].name for vertex in vertices if ranked.is_child(vertex)]
        beside = [ranked.companions[name].tail.name for name in names if name in ranked.companions]
        height = max([content.sizes[name].h for name in names + beside], default=0.0)
        tops.append(y)
        heights.append(height)
        labelled = any(name in content.label_widths for name in names)
        y += height + _channel_depth(routed, row, labelled)
    return Frame(tops, heights, y, *_left_and_width(placed))


def _channel_depth(routed: Routed, row: int, labelled: bool) -> float:
    """The height of the channel below a row."""
    content, rows = routed.placed.content, routed.placed.ordered.rows
    tracks = TRACK * routed.track_counts[row]
    framed, last = content.title_width > 0, row == len(rows) - 1
    text = TEXT if labelled else 0.0
    if row == 0:  # input ports, or nothing
        title = TITLE_BAR + tracks if framed else 0.0
        return title if last or not rows[0] else title + TIP
    if not last:
        return STUB + text + tracks + TIP
    if rows[row] and _is_output_port(routed.placed, rows[row][0]):
        return 0.0
    feedback = tracks + text + STUB if tracks else 0.0
    foot = TITLE_BAR if content.upwards else PAD
    return feedback + foot if framed else feedback


def _is_output_port(placed: Placed, vertex: int) -> bool:
    ends = placed.ordered.ranked.ends
    return vertex < len(ends) and ends[vertex].port == "out"


def _left_and_width(placed: Placed) -> tuple[float, float]:
    """The left edge and the width, with room for the title beside the lines that enter."""
    title = placed.content.title_width
    pad = PAD if title else 0.0
    lanes = [lane.x for lane in placed.lanes.values()]
    lefts = [x - left for x, left in zip(placed.x, placed.left, strict=True)]
    rights = [x + right for x, right in zip(placed.x, placed.right, strict=True)]
    low = min(lefts + lanes, default=0.0) - pad
    high = max(rights + lanes, default=0.0) + pad
    vertex = placed.ordered.ranked.vertex
    entries = [placed.x[v] for end, v in vertex.items() if end.port == "in"]
    left = min([low, *(x - title for x in entries)])
    return left, max(high - left, title + PAD)


def _box(placed: Placed, frame: Frame, end: End) -> Rect:
    ranked, size = placed.ordered.ranked, placed.content.sizes[end.name]
    vertex = ranked.vertex[end]
    row = ranked.rank[vertex]
    x = placed.x[vertex] - placed.content.middle(end.name) - frame.left
    spare = frame.heights[row] - size.h
    return Rect(x, frame.tops[row] + spare * _vertical_share(placed, row, end), size.w, size.h)


def _vertical_share(placed: Placed, row: int, end: End) -> float:
    """The share of the spare height of a row that is above a box: half; beside an open block none,
    so that the box is near its inputs, or without inputs all."""
    ranked, inner = placed.ordered.ranked, placed.content.inner
    children = (ranked.ends[v].name for v in placed.ordered.rows[row] if ranked.is_child(v))
    if not any(name in inner for name in children):
        return 0.5
    return 0.0 if any(segment.head == end for segment in ranked.segments) else 1.0


def _route(routed: Routed, frame: Frame, boxes: Mapping[str, Rect], segment: Segment) -> Route:
    """The corners of a segment: down to its tracks, then to its box or into the side of it."""
    placed = routed.placed
    start = placed.x[placed.ordered.ranked.vertex[segment.tail]] + placed.out[segment]
    points = [(start, _edge_y(placed, frame, boxes, segment.tail, lower=True))]
    for wire in routed.wires[segment]:
        if wire in routed.tracks:
            y = _track_y(routed, frame, wire)
            points += [(wire.start, y), (wire.end, y)]
    lane = placed.lanes.get(segment)
    if lane and placed.docks_at_side(segment):
        points += _side_entry(placed, frame, boxes[segment.head.name], segment)
    else:
        end = placed.x[placed.ordered.ranked.vertex[segment.head]] + placed.into[segment]
        points.append((end, _edge_y(placed, frame, boxes, segment.head, lower=False)))
    return Route(tuple((x - frame.left, y) for x, y in points), bypass=lane is not None)


def _edge_y(
    placed: Placed, frame: Frame, boxes: Mapping[str, Rect], end: End, lower: bool
) -> float:
    """The y of the lower or upper edge of a box; of a port that of its row."""
    if end.port:
        ranked = placed.ordered.ranked
        return frame.tops[ranked.rank[ranked.vertex[end]]]
    box = boxes[end.name]
    return box.y + box.h if lower else box.y


def _side_entry(placed: Placed, frame: Frame, box: Rect, segment: Segment) -> list[Point]:
    """The last two corners of a bypass that enters a box at the side; several share its height."""
    lane = placed.lanes[segment]
    docks = placed.side_docks[segment.head.name, lane.side]
    y = box.y + box.h * (docks.index(segment) + 1) / (len(docks) + 1)
    edge = box.x + frame.left + (box.w if lane.side > 0 else 0.0)
    return [(lane.x, y), (edge, y)]


def _track_y(routed: Routed, frame: Frame, wire: ChannelWire) -> float:
    """The y of a track: above the arrow heads of its channel, below the labels."""
    last = wire.channel + 1 == len(frame.tops)
    bottom = frame.height if wire.channel + 1 >= len(frame.tops) else frame.tops[wire.channel + 1]
    tip = TIP
    if last:
        tip = PAD if routed.placed.content.title_width else 0.0
    return bottom - tip - TRACK * (routed.track_counts[wire.channel] - 1 - routed.tracks[wire])
