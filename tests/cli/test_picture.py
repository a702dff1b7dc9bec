"""Pictures from the shell: what is no text goes to files and pipes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from studio import cli
from tests.cli.test_cli import TINY


def test_a_picture_in_pixels_goes_to_a_file_or_on_but_to_no_terminal(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["export", "vit", *TINY, "--form", "png"]
    path = tmp_path / "vit.png"
    assert cli.main([*line, "-o", str(path)]) == 0
    assert capsysbinary.readouterr().out == b""
    assert cli.main(line) == 0
    assert capsysbinary.readouterr().out == path.read_bytes()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(line) == 2
    printed = capsysbinary.readouterr()
    assert printed.out == b""
    assert printed.err == b"studio: png is binary and cannot be shown on a terminal; use -o FILE\n"
