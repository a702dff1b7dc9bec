"""`studio cache`: what is kept on disk, and its deletion on request alone."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import cli
from studio.bench.conditions import Conditions
from studio.bench.store import NAME, Store, store
from tests.bench.simulated import subject
from tests.bench.test_store import MADE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder that does not exist yet."""
    monkeypatch.setenv("STUDIO_CACHE", str(tmp_path / "cache"))
    store.cache_clear()
    yield tmp_path / "cache"
    store.cache_clear()


@pytest.fixture
def filled(folder: Path) -> Path:
    """The file of one that holds two measurements."""
    Store(folder).save_sweep({subject("a"): MADE, subject("b"): MADE}, Conditions())
    return folder / NAME


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.main(["cache", *argv])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def held(capsys: pytest.CaptureFixture[str]) -> int:
    code, out, _ = run(capsys, "--json")
    assert code == 0
    return int(json.loads(out)["measurements"])


def test_a_look_at_no_cache_makes_none(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert held(capsys) == 0
    assert run(capsys, "clear")[:2] == (0, "nothing to delete\n")
    assert not folder.exists()


def test_it_says_where_how_many_and_how_large(
    capsys: pytest.CaptureFixture[str], filled: Path
) -> None:
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    for word in (str(filled), "2 (at most 20,000 are kept)", "kB"):
        assert word in out
    data = json.loads(run(capsys, "--json")[1])
    assert (data["path"], data["measurements"]) == (str(filled), 2)
    assert data["bytes"] >= filled.stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "answer", "left"),
    [([], "n\n", 2), ([], "\n", 2), ([], "what\n", 2), ([], "Y\n", 0), (["--yes"], "", 0)],
)
def test_it_is_deleted_once_that_is_confirmed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    filled: Path,
    options: list[str],
    answer: str,
    left: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    code, out, err = run(capsys, "clear", *options)
    assert code == 0
    assert ("deleted 2 measurements" in out) == (left == 0)
    assert ("delete 2 measurements" in err and str(filled) in err) == (not options)
    assert held(capsys) == left


def test_without_an_answer_nothing_is_deleted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, filled: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    code, out, err = run(capsys, "clear")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("studio: nothing was deleted")
    assert held(capsys) == 2


def test_a_cache_that_cannot_be_used_is_one_sentence(
    capsys: pytest.CaptureFixture[str], filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.unlink()
    filled.mkdir()
    for line in ([], ["--json"], ["clear", "--yes"]):
        code, out, err = run(capsys, *line)
        assert (code, out) == (2, "")
        assert str(filled) in err.splitlines()[-1]
