"""Phase 2: few crossings."""

from __future__ import annotations

from studio.drawing.layout.ordering import count_crossings, minimise_crossings, mirror, order_rows
from studio.drawing.layout.ranking import Link, rank_block
from tests.drawing.layout.test_ranking import block


def test_crossings_are_pairs_of_links_in_the_opposite_order() -> None:
    links = [Link(0, 3), Link(1, 2)]
    assert count_crossings([[0, 1], [2, 3]], links) == 1
    assert count_crossings([[0, 1], [3, 2]], links) == 0
    docks = [Link(0, 1, out=-5.0), Link(0, 2, out=5.0)]
    assert count_crossings([[0], [2, 1]], docks) == 1


def test_sweeps_remove_crossings_and_leave_row_0_as_it_is() -> None:
    rows = [[0, 1, 2], [3, 4, 5]]
    links = [Link(0, 5), Link(1, 3), Link(2, 4)]
    assert minimise_crossings(rows, links) == [[0, 1, 2], [5, 3, 4]]
    assert mirror(rows) == [[0, 1, 2], [5, 4, 3]]


def test_a_residual_runs_at_the_right_side() -> None:
    ordered = order_rows(rank_block(block("abc", "ab", "bc", "ac")))
    assert list(ordered.sides.values()) == [1]
    assert ordered.incoming("c", {}) == ("b", "a")
