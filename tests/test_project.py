"""The rules of the project, kept by its own tools."""

from __future__ import annotations

import ast
import subprocess
import sysconfig
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
STUDIO = PROJECT / "studio"
SOURCES = sorted([*STUDIO.rglob("*.py"), *(PROJECT / "tests").rglob("*.py")])
TOP = {
    *("README.md", "LICENSE", "pyproject.toml", "studio", "tests", "assets"),
    *(".gitignore", ".editorconfig", ".pre-commit-config.yaml", ".streamlit", ".ci", ".github"),
}
CHECKS = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy", "--strict", "studio"),
    "layers": ("lint-imports",),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_tools_agree(check: str) -> None:
    tool, *arguments = CHECKS[check]
    done = subprocess.run(
        [str(Path(sysconfig.get_path("scripts")) / tool), *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_else_lies_at_the_top() -> None:
    done = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in done.stdout.splitlines()} <= TOP


def test_no_file_is_longer_than_a_reader_likes() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_files_are_named_after_what_they_hold() -> None:
    vague = {"utils", "helpers", "base", "common", "misc"}
    names = {path: path.relative_to(PROJECT).with_suffix("").parts for path in SOURCES}
    assert [path for path, parts in names.items() if vague & {*parts}] == []


def test_only_the_app_knows_streamlit() -> None:
    outside = (path for path in STUDIO.rglob("*.py") if STUDIO / "app" not in path.parents)
    assert [path for path in outside if "streamlit" in imported(path)] == []
    assert "streamlit" in imported(STUDIO / "app" / "main.py")


def imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    tree = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = (name.name for node in tree if isinstance(node, ast.Import) for name in node.names)
    members = (node.module or "" for node in tree if isinstance(node, ast.ImportFrom))
    return {name.partition(".")[0] for name in (*plain, *members)}
