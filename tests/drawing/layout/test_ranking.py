"""Phase 1: rows, bypasses and dummy vertices."""

from __future__ import annotations

from studio.drawing.layout.block_graph import Block, End, Segment
from studio.drawing.layout.ranking import Link, bypass_flags, rank_block, rank_vertices, subdivide


def block(children: str, *edges: str, parameters: str = "") -> Block:
    """A block of one-letter children; each edge is two letters."""
    return Block(
        children=tuple(children),
        segments=tuple(Segment(End("", a), End("", b), a) for a, b in edges),
        open=frozenset(),
        late=frozenset(),
        parameters=frozenset(parameters),
    )


def test_a_residual_and_a_backward_edge_are_bypasses_and_branches_are_not() -> None:
    assert bypass_flags(3, [(0, 1), (1, 2), (0, 2), (2, 0)]) == [False, False, True, True]
    assert bypass_flags(4, [(0, 1), (0, 2), (1, 3), (2, 3)]) == [False] * 4


def test_the_rank_is_the_longest_path() -> None:
    edges = [(0, 1), (1, 2), (0, 3), (2, 3)]
    assert rank_vertices(4, edges, 0, 4, frozenset()) == [1, 2, 3, 4]


def test_ports_are_alone_in_the_first_and_the_last_row() -> None:
    assert rank_vertices(4, [(0, 1), (0, 2), (2, 3)], 1, 3, frozenset()) == [0, 1, 1, 2]


def test_a_late_source_is_just_above_what_it_feeds() -> None:
    edges = [(0, 1), (1, 3), (2, 3)]
    assert rank_vertices(4, edges, 0, 4, frozenset())[2] == 1
    assert rank_vertices(4, edges, 0, 4, frozenset({2}))[2] == 2


def test_a_long_edge_is_cut_by_dummies_and_keeps_its_docks() -> None:
    rank = [0, 3]
    assert subdivide([Link(0, 1, 2.0, 5.0)], rank) == [
        [Link(0, 2, 2.0), Link(2, 3), Link(3, 1, 0.0, 5.0)]
    ]
    assert rank == [0, 3, 1, 2]


def test_bypasses_of_one_tensor_are_one_hyperedge() -> None:
    ranked = rank_block(block("abcd", "ab", "bc", "cd", "ac", "ad"))
    assert len(ranked.bypasses) == 2
    ((hyperedge, span),) = ranked.spans.items()
    assert hyperedge.tail == End("", "a")
    assert [end.name for end in span.ends] == ["c", "d"]


def test_a_parameter_that_feeds_one_box_is_its_companion() -> None:
    ranked = rank_block(block("apb", "ab", "pb", parameters="p"))
    assert ranked.companions["b"].tail.name == "p"
    assert [end.name for end in ranked.ends] == ["a", "b"]
