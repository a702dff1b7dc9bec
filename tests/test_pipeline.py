"""A hundredth of `python -m tests.pipeline`, other designs with each commit."""

from __future__ import annotations

import pytest

from tests.commit_sample import commit
from tests.pipeline import run


@pytest.mark.parametrize(("designs", "compositions"), [(100, 0), (0, 30)])
def test_random_settings_become_a_design_or_are_refused_with_what_works(
    designs: int, compositions: int, request: pytest.FixtureRequest
) -> None:
    counts, failures = run(designs, compositions, f"{commit()} {request.node.name}")
    assert failures == []
    assert counts["made"] > 0
    assert counts["made"] == counts["links restored"]
