"""Levels of a graph: each opens the blocks that the one before shows closed, up to a bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.levels import levels, still_closed
from tests.drawing.examples import EXAMPLES, blocks
from tests.drawing.graphs import graphs


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_last_level_opens_everything(name: str) -> None:
    graph = EXAMPLES[name]()
    steps = levels(graph)
    assert steps[0] == frozenset()
    assert steps[-1] == blocks(graph) - {""}
    assert still_closed(graph, steps[-1]) == "nothing"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_each_level_shows_one_more_depth(drawn: tuple[Graph, frozenset[str]]) -> None:
    graph, _ = drawn
    for depth, step in enumerate(levels(graph)):
        boxes = layout(graph, step).boxes
        assert {box.node.id for box in boxes if box.open} == step
        closed = [box for box in boxes if box.node.children and not box.open]
        assert all(box.depth == depth for box in closed)


def test_no_level_shows_more_than_the_most() -> None:
    inner = tuple(Node(id=f"b.{i}", label="x") for i in range(10))
    block = Node(id="b", label="b", children=inner)
    graph = Graph(Node(id="", label="net", children=(block,)), ())
    assert len(levels(graph, most=11)) == 2
    bounded = levels(graph, most=10)
    assert bounded == (frozenset(),)
    assert still_closed(graph, bounded[-1]) == "other blocks"


def test_a_long_computation_without_layers_stays_closed() -> None:
    operations = tuple(Node(id=f"pool.{i}", label="+", kind="operation") for i in range(20))
    long = Node(id="pool", label="RoIAlign", children=operations)
    layers = tuple(Node(id=f"net.{i}", label="Linear") for i in range(20))
    graph = Graph(
        Node(id="", label="", children=(long, Node(id="net", label="Net", children=layers))), ()
    )
    assert levels(graph) == (frozenset(), frozenset({"net"}))
    assert still_closed(graph, levels(graph)[-1]) == "long blocks"
