"""What must hold of every picture, whatever the graph."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings

from studio.drawing.graph import Edge, Graph, Node
from studio.drawing.layout import LABEL, Box, Picture, layout
from studio.drawing.text import text_width
from tests.drawing.examples import EXAMPLES, blocks
from tests.drawing.graphs import graphs

NEAR = 0.11  # places are rounded to a tenth of a pixel
Drawn = tuple[Graph, frozenset[str]]
properties = settings(max_examples=150, deadline=None, derandomize=True)


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x + NEAR
        and outer.y <= inner.y + NEAR
        and inner.x + inner.w <= outer.x + outer.w + NEAR
        and inner.y + inner.h <= outer.y + outer.h + NEAR
    )


def apart(a: Box, b: Box) -> bool:
    beside = a.x + a.w <= b.x + NEAR or b.x + b.w <= a.x + NEAR
    return beside or a.y + a.h <= b.y + NEAR or b.y + b.h <= a.y + NEAR


def parents(graph: Graph) -> dict[str, set[str]]:
    """The blocks around each node."""
    above: dict[str, set[str]] = {}
    for block in graph.root.walk():
        for node in block.walk():
            above.setdefault(node.id, set()).add(block.id)
    return above


def on_border(box: Box, x: float, y: float) -> bool:
    sides = min(abs(x - box.x), abs(x - box.x - box.w))
    ends = min(abs(y - box.y), abs(y - box.y - box.h))
    inside = box.x - 1 <= x <= box.x + box.w + 1 and box.y - 1 <= y <= box.y + box.h + 1
    return inside and min(sides, ends) < 1


def crossed(picture: Picture) -> list[tuple[str, str, str]]:
    """Closed boxes that an arrow runs through."""
    found = []
    for arrow in picture.arrows:
        for (x0, y0), (x1, y1) in pairwise(arrow.points):
            for box in picture.boxes:
                across = max(x0, x1) > box.x + 1 and min(x0, x1) < box.x + box.w - 1
                along = max(y0, y1) > box.y + 1 and min(y0, y1) < box.y + box.h - 1
                if across and along and not box.open:
                    found.append((arrow.source, arrow.target, box.node.id))
    return found


@properties
@given(graphs())
def test_boxes_lie_inside_their_blocks_and_nowhere_else_on_each_other(drawn: Drawn) -> None:
    picture, above = layout(*drawn), parents(drawn[0])
    for a, b in combinations(picture.boxes, 2):
        assert holds(a, b) if a.node.id in above[b.node.id] else apart(a, b)
    for box in picture.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.w <= picture.width
        assert box.y + box.h <= picture.height


@properties
@given(graphs())
def test_arrows_run_along_the_axes_from_border_to_border(drawn: Drawn) -> None:
    picture = layout(*drawn)
    box = {box.node.id: box for box in picture.boxes}
    for arrow in picture.arrows:
        assert on_border(box[arrow.source], *arrow.points[0])
        assert on_border(box[arrow.target], *arrow.points[-1])
        for (x0, y0), (x1, y1) in pairwise(arrow.points):
            assert min(abs(x0 - x1), abs(y0 - y1)) < 1
            assert 0 <= x1 <= picture.width


@properties
@given(graphs())
def test_no_arrow_crosses_a_box(drawn: Drawn) -> None:
    assert crossed(layout(*drawn)) == []


@properties
@given(graphs())
def test_labels_cover_neither_closed_boxes_nor_each_other(drawn: Drawn) -> None:
    picture = layout(*drawn)
    areas = [(la.x, la.y - 8, la.x + text_width(la.text, LABEL), la.y + 2) for la in picture.labels]
    closed = [(b.x, b.y, b.x + b.w, b.y + b.h) for b in picture.boxes if not b.open]
    for i, (x0, y0, x1, y1) in enumerate(areas):
        for a0, b0, a1, b1 in closed + areas[i + 1 :]:
            assert x1 <= a0 + NEAR or a1 <= x0 + NEAR or y1 <= b0 + NEAR or b1 <= y0 + NEAR


@properties
@given(graphs())
def test_no_arrow_runs_through_a_label(drawn: Drawn) -> None:
    picture = layout(*drawn)
    for label in picture.labels:
        x, y, w = label.x, label.y, text_width(label.text, LABEL)
        for arrow in picture.arrows:
            for (x0, y0), (x1, y1) in pairwise(arrow.points):
                beside = max(x0, x1) <= x + NEAR or min(x0, x1) >= x + w - NEAR
                assert beside or max(y0, y1) <= y - 8 + NEAR or min(y0, y1) >= y + 2 - NEAR


@properties
@given(graphs())
def test_the_arrows_are_the_data_flow_between_what_can_be_seen(drawn: Drawn) -> None:
    graph, opened = drawn
    picture, above = layout(graph, opened), parents(graph)
    seen = {box.node.id for box in picture.boxes}
    order = [node.id for node in graph.root.walk()]
    innermost = {n: max((a for a in above[n] if a in seen), key=order.index) for n in order[1:]}
    lifted = {(innermost[e.source], innermost[e.target]) for e in graph.edges}
    expected = {(a, b) for a, b in lifted if a not in above[b] and b not in above[a]}
    drawn_ends = [(arrow.source, arrow.target) for arrow in picture.arrows]
    assert sorted(drawn_ends) == sorted(expected)


@properties
@given(graphs())
def test_a_picture_depends_on_nothing_but_the_graph(drawn: Drawn) -> None:
    assert layout(*drawn) == layout(*drawn)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_keep_their_skips_open_and_closed(name: str) -> None:
    graph = EXAMPLES[name]()
    skips = {"vit": 2, "resnet": 1, "unet": 4, "inception": 0}
    picture = layout(graph, blocks(graph))
    assert sum(arrow.skip for arrow in picture.arrows) == skips[name]
    assert crossed(picture) == []


def test_a_residual_inside_a_block_starts_where_the_data_enters() -> None:
    picture = layout(EXAMPLES["vit"](), frozenset({"blocks.0"}))
    ends = {(arrow.source, arrow.target): arrow for arrow in picture.arrows}
    residual, straight = ends["add", "blocks.0.add1"], ends["add", "blocks.0.norm1"]
    assert residual.skip
    assert residual.points[0] == straight.points[0]


def test_parallel_branches_stand_side_by_side_in_order() -> None:
    graph = EXAMPLES["inception"]()
    box = {box.node.id: box for box in layout(graph, blocks(graph)).boxes}
    row = [box[f"i.{name}"] for name in ("a", "b1", "c1", "d1")]
    assert len({b.y for b in row}) == 1
    assert [b.x for b in row] == sorted(b.x for b in row)


def test_an_edge_to_a_node_that_is_not_there_is_an_error() -> None:
    root = Node(id="", label="", children=(Node(id="a", label="a"),))
    with pytest.raises(KeyError):
        layout(Graph(root, (Edge("a", "b"),)))
