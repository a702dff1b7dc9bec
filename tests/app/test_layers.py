"""The table of layers."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.app import figures
from studio.app.layers import total, walk
from studio.app.state import Case
from tests.app.conftest import MAIN


@pytest.mark.parametrize("family", studio.families())
def test_rows_without_rows_inside_add_up_to_the_model(family: str) -> None:
    body = figures.trained(Case(studio.design(family)))
    rows = list(walk(body))
    paths = [row.path.partition(" ×")[0] for row in rows]
    blocks = {path.rpartition(".")[0] for path in paths}
    blocks |= {block for path in paths for block in _above(path)}
    last = [row for row, path in zip(rows, paths, strict=True) if path not in blocks]
    assert sum(row.params for row in last) == body.params
    assert sum(row.macs for row in last) == body.macs
    assert sum(row.saved_bytes for row in last) == body.saved_bytes


def _above(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


@pytest.mark.usefixtures("still")
def test_the_total_stands_beneath_the_table() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["family"], app.query_params["tab"] = "recurrent", "Layers"
    app.run()
    body = figures.trained(Case(studio.design("recurrent")))
    assert f"{body.params:,} parameters" in total(body)
    assert any(total(body) in caption.value for caption in app.caption)
