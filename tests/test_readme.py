"""What the README says is so: its commands, its lists, and the architecture that it adds."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import studio
from studio import cli
from tests import architecture

PROJECT = Path(__file__).parents[1]
README = PROJECT / "README.md"
TEXT = README.read_text("utf-8")
TRANSCRIPTS = re.findall(r"```console\n\$ studio ([^\n]*)\n(.*?)```", TEXT, re.DOTALL)


def test_the_families_are_those_of_the_zoo() -> None:
    rows = re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)[1:]
    assert rows == [
        (key, family.title, ", ".join(family.guide.tasks))
        for key, family in studio.families().items()
    ]


@pytest.mark.parametrize(("command", "shown"), TRANSCRIPTS, ids=[c for c, _ in TRANSCRIPTS])
def test_commands_print_what_is_shown(
    command: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, measured = shlex.split(command), command.startswith("sweep")
    cli.main([*argv, "--no-measure"] if measured else argv)
    printed = capsys.readouterr()
    assert words(printed.out + printed.err, measured) == words(shown, measured)


def words(text: str, measured: bool) -> list[list[str]]:
    """The words of each line; of a sweep those up to the latency, which no two runs share."""
    return [
        re.split(r"\s+[\d.]+ m?s|\s+-", line)[0].split() if measured else line.split()
        for line in text.splitlines()
    ]


def test_the_notebook_runs() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert (failed, tried > 5) == (0, True)


def test_pictures_and_files_are_there() -> None:
    named = {*re.findall(r"!\[.*?\]\((.*?)\)", TEXT), *re.findall(r"`((?:\w+/)+[\w.]+)`", TEXT)}
    assert {path for path in named if not (PROJECT / path).exists()} == set()


def test_the_rooms_are_those_of_the_studio_in_the_order_of_their_contract() -> None:
    room = re.compile(r"[a-z]\w*(\.py)?")
    rooms = {path.stem for path in (PROJECT / "studio").iterdir() if room.fullmatch(path.name)}
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    layers = contracts["tool"]["importlinter"]["contracts"][0]["layers"]
    order = [room for layer in layers for room in re.findall(r"\w+", layer) if room in rooms]
    listed = re.findall(r"^  (\w+)(?:/|\.py) ", TEXT, re.MULTILINE)
    assert {*listed} == rooms
    assert listed == order


def test_the_architecture_picture_is_that_of_the_contracts() -> None:
    drawn = architecture.picture((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert architecture.PICTURE.read_text("utf-8") == drawn, "run python -m tests.architecture"


def test_the_workflow_runs_both_commands_on_every_python_of_the_project() -> None:
    workflow = (PROJECT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    sought = re.findall(r"grep --max-count=1 '(.+?)' README.md", workflow)
    commands = re.findall(r"^python3 .+$", TEXT, re.MULTILINE)
    assert [next(filter(re.compile(p).search, commands)) for p in sought] == commands[:2]
    assert re.findall(r'"(3\.\d+)"', workflow) == ["3.11", "3.12", "3.13"]


def test_no_line_is_longer_than_an_editor_shows() -> None:
    assert [line for line in TEXT.splitlines() if len(line) > 120] == []


def test_its_architecture_passes_every_test_without_another_edit(tmp_path: Path) -> None:
    for room in ("studio", "tests"):
        shutil.copytree(
            PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (family,) = re.findall(r"```python\n(r\"\"\".*?)```", TEXT, re.DOTALL)
    path = tmp_path / "studio" / "zoo" / "mlp.py"
    path.write_text(family, "utf-8")
    for check in (["check"], ["format", "--check"]):
        run([sys.executable, "-m", "ruff", *check, str(path)], tmp_path)
    tests = ["tests/test_zoo.py", "tests/zoo", "tests/codegen", "-p", "no:cacheprovider"]
    printed = run([sys.executable, "-m", "pytest", "-k", "[mlp] or mlp-", *tests], tmp_path)
    passed = re.search(r"(\d+) passed", printed)
    assert passed
    assert int(passed[1]) > 8
    script = run([sys.executable, "-m", "studio", "export", "mlp"], tmp_path)
    assert "669_706" in script
    run([sys.executable, "-I", "-c", script], tmp_path)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
