"""Errors of the command line are one short line that names what was probably meant."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import studio
from studio import cli

WORD = "x" * 100


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("studio: ")
    assert captured.err.count("\n") == 1
    return captured.err.rstrip("\n").removeprefix("studio: ")


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "--{}",
        "--port {}",
        "--address {}",
        "--base-path /{}?",
        "families --{}",
        "cache {}",
        "profile {}",
        "profile {}.json",
        "profile ./{}/{}.json --preset x",
        "profile vit {}",
        "profile vit --{}",
        "profile vit --{}=3",
        "profile vit --json={}",
        "profile vit --batch {}",
        "profile vit --preset {}",
        "profile vit --set {}",
        "profile vit --set {}=3",
        "profile vit --set depth={}",
        "profile vit --set norm={}",
        "profile hybrid --set stages={}()",
        "export vit --form {}",
        "export vit --level {}",
        "export vit -o {}/",
        "export vit -o {}/a.py",
        "export vit -o a.{}",
        "export vit --form svg -o {}.py",
        "report vit --out r.{}",
        "architect --task {}",
        "architect --task classification --strategy {}",
        "architect --task classification --max-macs {}",
    ],
)
def test_of_a_long_word_a_refusal_says_at_most_60_characters(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = said(capsys, *line.replace("{}", WORD).split(" "))
    assert max(map(len, re.findall(r"x+", sentence))) <= 60
    assert "…" in sentence


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--server.port 3", "there is no option --server.port; did you mean --port?"),
        ("expotr vit", "argument COMMAND: there is no 'expotr'; did you mean export?"),
        ("profile vit --prest x", "there is no option --prest; did you mean --preset?"),
        ("profile vit extra", "'extra' is one argument too many; see studio profile --help"),
        (
            "architect --task classification --max-macs 4GFLOPs",
            "argument --max-macs: '4GFLOPs' is in FLOPs, not a number of MACs; one MAC is two"
            " FLOPs; did you mean 2G MACs?",
        ),
        (
            "export vit -o ",
            "argument -o/--out/--output: the name of the file is empty; see studio export --help",
        ),
    ],
)
def test_what_was_meant_is_named(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *line.split(" ")) == told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("profile", "FAMILY is missing; see studio profile --help"),
        ("architect", "--task is missing; see studio architect --help"),
        ("profile vit --preset", "--preset needs a value; see studio profile --help"),
        ("profile vit --json=1", "--json takes no value, not '1'; see studio profile --help"),
        ("--headless=1", "--headless takes no value, not '1'; see studio --help"),
        ("profile vit --pre ViT-B/16", "there is no option --pre"),  # no abbreviations
        ("profile vit -x", "there is no option -x; see studio profile --help"),
        ("sweep vit --axis depth=1 --csv --json", "use --json or --csv, not both"),
    ],
)
def test_what_is_missing_or_misused_is_named(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, *line.split(" ")).startswith(told)


def test_the_help_says_how_words_are_completed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    (line,) = re.findall(r'eval "\$\((\w+)=bash_source studio\)"', capsys.readouterr().out)
    assert line == cli.COMPLETE


@pytest.mark.parametrize(
    ("typed", "number", "offered"),
    [
        ("studio prof", 1, {"profile"}),
        ("studio profile res", 2, {"resnet"}),
        ("studio profile vit --pre", 3, {"--preset"}),
        ("studio architect --strategy comp", 3, {"compound"}),
    ],
)
def test_words_are_completed(
    typed: str,
    number: int,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(cli.COMPLETE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(number))
    assert cli.main([]) == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert {word for kind, word in lines if kind == "plain"} == offered


PAGE = {"streamlit", "plotly", "tornado"}
COMPUTATION = {"torch", "numpy", "sqlite3", "tqdm", "uharfbuzz", "torchinfo"}
COMPILER = {"torch._dynamo", "sympy"}  # over a second
OTHERS = {"studio.zoo.resnet", "sqlite3", "uharfbuzz", "torchinfo"}


@pytest.mark.parametrize(
    ("argv", "unneeded"),
    [
        (["--help"], PAGE | COMPUTATION),
        (["sweep", "--help"], PAGE | COMPUTATION),
        (["--version"], PAGE | COMPUTATION),
        (["profile", "vit"], PAGE | COMPILER | OTHERS),
    ],
    ids=["--help", "sweep --help", "--version", "profile"],
)
def test_a_command_imports_only_what_it_needs(argv: list[str], unneeded: set[str]) -> None:
    code = "import sys; from studio import cli\ntry: cli.main(sys.argv[1:])\n"
    code += "finally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], check=True, capture_output=True, text=True
    )
    assert not unneeded & {*done.stderr.split()}


@pytest.mark.parametrize(
    "name", ["profile", "build", "example", "export", "measure", "report", "as_stages"]
)
@pytest.mark.parametrize("value", ["vit", None, 3])
def test_what_is_no_design_is_one_sentence(name: str, value: object) -> None:
    use = getattr(studio, name)
    with pytest.raises(TypeError, match=r"^expected a design, not .*studio\.design\('vit'\)$"):
        use(value)
