"""Phase 3: straight lines, and gaps between boxes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.drawing.layout.placement import GAP, assign_x
from studio.drawing.layout.ranking import Link

WIDTHS = st.lists(st.integers(4, 200).map(float), min_size=4, max_size=4)


@given(WIDTHS)
def test_neighbours_in_a_row_keep_their_gap(half: list[float]) -> None:
    links = [Link(0, 1), Link(0, 2), Link(0, 3)]
    x = assign_x([[0], [1, 2, 3]], links, half, half)
    for a, b in ((1, 2), (2, 3)):
        assert x[b] - half[b] - x[a] - half[a] >= GAP - 0.2


def test_a_link_runs_straight_from_dock_to_dock() -> None:
    x = assign_x([[0], [1]], [Link(0, 1, 7.0, -3.0)], [50.0] * 2, [50.0] * 2)
    assert x[0] + 7 == x[1] - 3
