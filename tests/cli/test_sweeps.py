"""Sweeps from a shell find what earlier ones have measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from studio.bench import sweep
from studio.bench.store import Store
from studio.cli import INTERRUPTED, main, sweeps
from studio.cli.output import say_warnings
from studio.process import fair_queue
from studio.process.platform import Platform
from studio.workbench import workbench
from tests.bench.simulated import Simulated, StopsAfter
from tests.cli.test_commands import TINY, data


def test_a_sweep_that_is_known_is_there_at_once_and_fresh_it_is_measured_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Simulated()
    made.open.set()
    kept = Store(tmp_path)
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    monkeypatch.setattr(sweep, "platforms", lambda device: (Platform("Simulated", "2"),))
    for module in (sys.modules["studio.bench.store"], workbench):
        monkeypatch.setattr(module, "store", lambda: kept)
    argv = ("sweep", "vit", *TINY, "--axis", "depth=1,2")
    first = data(capsys, *argv)
    calls = len(made.calls)
    assert data(capsys, *argv) == first
    assert first["points"][0]["measurement"]["measured_at"]
    assert len(made.calls) == calls > 0
    for _ in range(2):
        data(capsys, *argv, "--fresh")
    assert len(made.calls) == 3 * calls
    assert kept.run_to_run_deviation("cpu", "Simulated") == pytest.approx(0)


def test_an_interrupted_sweep_prints_its_table_and_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, kept = StopsAfter(2), Store(tmp_path)
    monkeypatch.setattr(fair_queue, "backends", lambda device: (made,))
    monkeypatch.setattr(sweep, "platforms", lambda device: (Platform("Simulated", "2"),))
    for module in (sys.modules["studio.bench.store"], workbench):
        monkeypatch.setattr(module, "store", lambda: kept)

    def pressed(seconds: float) -> None:
        """Ctrl-C, once there is something to lose."""
        if kept.contents().measurements == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(sweeps.time, "sleep", pressed)
    argv = ("sweep", "vit", *TINY, "--axis", "depth=1,2,3")
    assert main(argv) == INTERRUPTED
    said = capsys.readouterr()
    assert "2 of 3 designs measured; they are kept on disk" in said.err
    assert "continues from there" in said.err
    assert len(said.out.splitlines()) == 2 + 3


def test_a_cache_that_cannot_be_used_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):  # the second command says it no oftener
        say_warnings()
    assert Store(tmp_path / "file" / "folder").fallback_reason
    said = capsys.readouterr().err
    assert said.startswith("studio: measurements are kept in memory and not on disk")
    assert "Errno" not in said
    assert said.count("\n") == 1
