"""What the command line refuses is one short line that names what was meant."""

from __future__ import annotations

import re

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
    "name", ["profile", "build", "example", "export", "measure", "report", "as_stages"]
)
@pytest.mark.parametrize("value", ["vit", None, 3])
def test_what_is_no_design_is_one_sentence(name: str, value: object) -> None:
    use = getattr(studio, name)
    with pytest.raises(TypeError, match=r"^a design is wanted, not .*studio\.design\('vit'\)$"):
        use(value)
