"""What must hold of every picture, whatever the graph."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings

from studio.drawing.graph import Edge, Graph, Node
from studio.drawing.layout.layered import Box, layout
from tests.drawing.examples import EXAMPLES, blocks, denoiser, pyramid
from tests.drawing.graphs import graphs, horseshoes
from tests.drawing.legible import covered, crossed, crossings, overlapping, parents, struck

Drawn = tuple[Graph, frozenset[str]]
properties = settings(max_examples=150, deadline=None, derandomize=True)


def on_border(box: Box, x: float, y: float) -> bool:
    sides = min(abs(x - box.x), abs(x - box.x - box.w))
    ends = min(abs(y - box.y), abs(y - box.y - box.h))
    inside = box.x - 1 <= x <= box.x + box.w + 1 and box.y - 1 <= y <= box.y + box.h + 1
    return inside and min(sides, ends) < 1


@properties
@given(graphs() | horseshoes())
def test_boxes_lie_inside_their_blocks_and_nowhere_else_on_each_other(drawn: Drawn) -> None:
    picture = layout(*drawn)
    assert list(overlapping(picture, drawn[0])) == []
    for box in picture.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.w <= picture.width
        assert box.y + box.h <= picture.height


@properties
@given(graphs() | horseshoes())
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
@given(graphs() | horseshoes())
def test_no_arrow_crosses_a_box(drawn: Drawn) -> None:
    assert list(crossed(layout(*drawn))) == []


@properties
@given(graphs() | horseshoes())
def test_labels_cover_neither_closed_boxes_nor_each_other(drawn: Drawn) -> None:
    assert list(covered(layout(*drawn))) == []


@properties
@given(graphs() | horseshoes())
def test_no_arrow_runs_through_a_label(drawn: Drawn) -> None:
    assert list(struck(layout(*drawn))) == []


@properties
@given(graphs() | horseshoes())
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
@given(graphs() | horseshoes())
def test_a_picture_depends_on_nothing_but_the_graph(drawn: Drawn) -> None:
    assert layout(*drawn) == layout(*drawn)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_keep_their_skips_open_and_closed(name: str) -> None:
    graph = EXAMPLES[name]()
    skips = {"vit": 2, "resnet": 1, "unet": 4, "inception": 0}
    picture = layout(graph, blocks(graph))
    assert sum(arrow.skip for arrow in picture.arrows) == skips[name]
    assert list(crossed(picture)) == []


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


def test_laterals_between_two_open_blocks_do_not_cross() -> None:
    graph = pyramid()
    assert crossings(layout(graph)) == []
    assert crossings(layout(graph, blocks(graph))) == []


def test_a_column_with_taps_stands_straight() -> None:
    graph = pyramid()
    box = {box.node.id: box for box in layout(graph, blocks(graph)).boxes}
    middles = {box[name].x + box[name].w / 2 for name in ("x", "c3", "c4", "c5")}
    assert max(middles) - min(middles) < 1


def test_what_feeds_every_block_goes_round_at_the_other_side_of_the_skips() -> None:
    graph = denoiser()
    arrows = layout(graph).arrows
    turns = {(a.source, a.target): a.points[-1][0] - a.points[-2][0] for a in arrows if a.skip}
    sides = {
        source: {turn > 0 for (s, _), turn in turns.items() if s == source} for source in "tab"
    }
    assert sides["t"] != sides["a"] == sides["b"]
    assert crossings(layout(graph)) == []


def test_nested_skips_are_drawn_as_a_u() -> None:
    picture = layout(EXAMPLES["unet"]())
    ends = {(arrow.source, arrow.target): arrow.points for arrow in picture.arrows if arrow.skip}
    assert len(ends) == 4
    for (x0, y0), *_, (x1, y1) in ends.values():
        assert x0 < x1
        assert y0 == y1
    last = picture.arrows[-1].points
    assert last[0][1] > last[-1][1]
    assert crossings(picture) == []


def test_an_edge_to_a_node_that_is_not_there_is_an_error() -> None:
    root = Node(id="", label="", children=(Node(id="a", label="a"),))
    with pytest.raises(KeyError):
        layout(Graph(root, (Edge("a", "b"),)))
