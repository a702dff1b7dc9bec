"""Which boxes say something else in another graph, and when that is all that changes."""

from __future__ import annotations

from dataclasses import replace

from studio.drawing.graph import Edge, Graph, Node
from studio.drawing.layout.changed_texts import changed_texts

LAYER = Node(id="b.l", label="Linear", detail="64")
BLOCK = Node(id="b", label="Block", detail="1 k parameters each", repeat=4, children=(LAYER,))
INPUT = Node(id="x", label="x", kind="input")
GRAPH = Graph(Node(id="", label="Net", children=(INPUT, BLOCK)), (Edge("x", "b.l", "(1, 64)"),))


def with_block(**changes: object) -> Graph:
    root = replace(GRAPH.root, children=(INPUT, replace(BLOCK, **changes)))
    return replace(GRAPH, root=root)


def test_a_repeated_block_says_how_often() -> None:
    assert changed_texts(GRAPH, GRAPH, frozenset()) == ()
    texts = ("Block × 7", "1 k parameters each")
    assert changed_texts(GRAPH, with_block(repeat=7), frozenset()) == (("b", texts),)
    assert changed_texts(GRAPH, with_block(repeat=7), frozenset({"b"})) == (("b", ("Block × 7",)),)


def test_what_is_inside_a_closed_block_does_not_matter() -> None:
    other = with_block(children=(replace(LAYER, detail="128"),))
    assert changed_texts(GRAPH, other, frozenset()) == ()
    assert changed_texts(GRAPH, other, frozenset({"b"})) == (("b.l", ("Linear", "128")),)


def test_other_boxes_lines_and_shapes_are_more_than_texts() -> None:
    assert changed_texts(GRAPH, with_block(id="c", children=(LAYER,)), frozenset()) is None
    assert changed_texts(GRAPH, with_block(detail=""), frozenset()) is None
    assert changed_texts(GRAPH, with_block(kind="operation"), frozenset()) is None
    assert changed_texts(GRAPH, replace(GRAPH, edges=()), frozenset()) is None
    shapes = replace(GRAPH, edges=(Edge("x", "b.l", "(1, 32)"),))
    assert changed_texts(GRAPH, shapes, frozenset()) is None
