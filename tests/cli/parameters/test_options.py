"""The options of the command, which are listed without the seconds that torch takes to import."""

from __future__ import annotations

import io
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import studio
from studio import cli
from studio.advice.questions import LIMITS, SETTINGS
from studio.cli.parameters.sweep_axes import swept_designs


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a refusal says, which it does before anything is computed."""
    assert cli.main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"studio: [^\n]+\n", printed.err)
    return printed.err


@pytest.mark.parametrize(
    ("limit", "text", "said"),
    [
        *((f"--max-{name}", "-5", "positive number") for name in LIMITS),
        *((f"--max-{name}", "2", "did you mean 2") for name in LIMITS),
        *((f"--max-{name}", "5ms", "not a valid") for name in LIMITS),
        ("--max-params", "5MB", "did you mean 5M?"),
        ("--max-macs", "8GFLOPs", "one MAC is two FLOPs"),
        ("--max-latency-ms", "20MB", "0.5s"),
        ("--max-latency-ms", "-1", "0.5s"),
        ("--examples", "5MB", "did you mean 5M?"),
        *((f"--{name.replace('_', '-')}", "32k", "32768") for name in SETTINGS),
        ("--batch", "1GB", "has a unit"),
    ],
)
def test_units_of_a_brief_are_understood_or_refused(
    capsys: pytest.CaptureFixture[str], limit: str, text: str, said: str
) -> None:
    line = ("architect", "--task", "time-series", f"{limit}={text}")
    assert said in refused(capsys, *line)


@pytest.mark.parametrize("text", ["+6", "6.0", "6e0", "0.6e1", " 6 ", "6_0e-1"])
def test_knob_values_may_have_signs_and_exponents(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert cli.main(["profile", "vit", "--set", f"depth={text}", "--json"]) == 0
    assert '"depth": 6,' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("embed_dim=1k", "write 1000 or 1024"),
        ("image_size=224px", "write 224"),
        ("dropout=10%", "write 0.1"),
        ("depth=-6", "nearest that works is 1"),
        ("depth=6-", "nearest that works"),
        ("depth=0x6", "nearest that works"),
        ("depth=1e400", "nearest that works"),
    ],
)
@pytest.mark.parametrize("line", ["profile vit --set", "sweep vit --no-measure --axis"])
def test_knob_values_with_units_are_refused(
    capsys: pytest.CaptureFixture[str], line: str, value: str, advice: str
) -> None:
    assert advice in refused(capsys, *line.split(), value)


@pytest.mark.parametrize(
    ("axes", "count"),
    [
        (["depth=2,2,2"], 1),
        (["depth=2,+2,2.0,2e0,3"], 2),
        (["norm=LayerNorm,RMSNorm,LayerNorm"], 2),
        (["depth=2,3,2", "num_heads=3,3"], 2),
    ],
)
def test_a_repeated_value_is_one_point(axes: list[str], count: int) -> None:
    start = studio.design("vit", preset="ViT-Ti/16")
    names, wanted = zip(*(axis.split("=") for axis in axes), strict=True)
    knobs = [start.knobs[name] for name in names]
    designs = swept_designs(start, knobs, wanted, pytest.fail)
    assert len(designs) == len(set(designs)) == count


def test_a_grid_without_a_valid_corner_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = "sweep vit --no-measure --axis num_heads=5,7 --axis embed_dim=768"
    assert "no point of this grid is a valid design: num_heads=5" in refused(capsys, *line.split())


def test_a_sweep_says_what_was_inserted(capsys: pytest.CaptureFixture[str]) -> None:
    start = ("--set", "head=PooledHead()", "--set", "stages=Conv()")
    rows = "stages=Conv()/Transformer()"
    assert cli.main(["sweep", "hybrid", *start, "--no-measure", "--axis", rows]) == 0
    said = capsys.readouterr().err
    assert said.startswith("studio: stages did not fit as given; inserted ToTokens() as stages.0")
    assert said.count("\n") == 1


WORDS = st.sampled_from(
    [
        *(
            "--preset",
            "--set",
            "--batch",
            "--json",
            "--form",
            "--level",
            "--nosuch",
            "-x",
            "--",
            "-",
        ),
        *("ViT-Ti/16", "depth=2", "depth=", "=2", "=", "norm=RMSNorm", "num_heads=7", "a.json"),
        *(
            "1k",
            "-1",
            "1e9",
            "1e999",
            "nan",
            "script",
            "svg",
            "json",
            "",
            "\ud83d",
            "\x1b[2J",
            "%s",
        ),
    ]
) | st.text(st.characters(exclude_characters="\x00"), max_size=8)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(command=st.sampled_from(["profile", "export"]), family=WORDS, rest=st.lists(WORDS))
def test_any_command_line_is_a_result_or_one_sentence(
    capsys: pytest.CaptureFixture[str], command: str, family: str, rest: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
        for key in (family, "vit"):
            try:
                code = cli.main([command, key, *(w for w in rest if not w.startswith("-o"))])
            except SystemExit as helped:
                code = int(helped.code or 0)
            printed = capsys.readouterr()
            lines = printed.err.splitlines()
            assert code in (0, 2)
            assert (code == 2) == any(line.startswith("studio: ") for line in lines)
            assert len(lines) <= 1
            assert printed.err.removesuffix("\n").isprintable()


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"studio {studio.__version__}\n"
