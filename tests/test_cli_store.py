"""Sweeps from a shell find what earlier ones have measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from studio.measure import front, sweep
from studio.measure.engine import Place
from studio.measure.store import Store
from tests.measure.simulated import Simulated
from tests.test_cli import TINY, data


def test_a_sweep_that_is_known_is_there_at_once_and_fresh_it_is_measured_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Simulated()
    made.open.set()
    kept = Store(tmp_path)
    monkeypatch.setattr(front, "engines", lambda device: (made,))
    monkeypatch.setattr(sweep, "places", lambda device: (Place("Simulated", "2"),))
    monkeypatch.setattr(sys.modules["studio.measure.store"], "store", lambda: kept)
    argv = ("sweep", "vit", *TINY, "--axis", "depth=1,2")
    first = data(capsys, *argv)
    calls = len(made.calls)
    assert data(capsys, *argv) == first
    assert first["points"][0]["measurement"]["measured_at"]
    assert len(made.calls) == calls > 0
    for _ in range(2):
        data(capsys, *argv, "--fresh")
    assert len(made.calls) == 3 * calls
    assert kept.between_runs("cpu", "Simulated") == pytest.approx(0)
