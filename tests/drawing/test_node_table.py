"""The visible graph as rows: the boxes, what feeds them, and what they hand on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from studio.drawing.graph import Edge, Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.node_table import node_rows
from tests.drawing.examples import EXAMPLES, blocks
from tests.drawing.graphs import graphs


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_has_the_boxes_of_the_picture(name: str) -> None:
    graph = EXAMPLES[name]()
    for opened in (frozenset[str](), blocks(graph)):
        rows = node_rows(graph, opened)
        assert {row.id for row in rows} == {box.node.id for box in layout(graph, opened).boxes}
        assert len({row.name for row in rows}) == len(rows)


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_every_arrow_is_a_feed_in_the_table(drawn: tuple[Graph, frozenset[str]]) -> None:
    graph, opened = drawn
    fed = sum(len(row.inputs) for row in node_rows(graph, opened))
    assert fed == len(layout(graph, opened).arrows)


def test_boxes_of_one_name_are_numbered_and_feeds_are_named_by_it() -> None:
    a, b, c = (Node(id=name, label="Linear", repeat=1) for name in "abc")
    edges = (Edge("a", "b", "(1, 4)"), Edge("b", "c"), Edge("a", "c", "(1, 4)"))
    first, second, third = node_rows(Graph(Node(id="", label="", children=(a, b, c)), edges))
    assert (first.name, first.inputs, first.output) == ("Linear (1)", (), "(1, 4)")
    assert (second.name, second.inputs) == ("Linear (2)", ("Linear (1)",))
    assert third.inputs == ("Linear (2)", "Linear (1)")
