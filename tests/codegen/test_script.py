"""The exported file is the model that the studio runs, for every family and every knob."""

from __future__ import annotations

import dataclasses
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.codegen.script import Script, script
from studio.family import Design, Family
from studio.zoo import families
from tests.designs import corners, ends, small, tensors, turned

BARE = """
import runpy, sys
sys.modules["studio"] = None
for path in sys.argv[1:]:
    print(path, flush=True)
    runpy.run_path(path, run_name="__main__")
"""


def run(model: Any, example: Any, config: Any) -> tuple[torch.nn.Module, list[Tensor]]:
    torch.manual_seed(0)
    made = model(config).eval()
    with torch.inference_mode():
        return made, tensors(made(*example(config, 1)))


def promised(design: Design, model: torch.nn.Module, outputs: list[Tensor]) -> Script:
    """The script with the figures of a real run."""
    shapes = tuple(tuple(t.shape) for t in outputs)
    count = sum(p.numel() for p in model.parameters())
    return script(design, params=count, macs=1, output_shapes=shapes)


def unchecked(design: Design) -> str:
    """The script's text alone, for what does not depend on the figures in it."""
    return script(design, params=0, macs=0, output_shapes=((1,),)).text


def small_corners(family: Family) -> Iterator[tuple[str, Design]]:
    """The smallest design, and from it each option, each flag, and each knob at its least."""
    start = small(family)
    yield "small", start
    for knob in start.knobs.values():
        choice = knob.options or isinstance(knob.default, bool)
        for value in ends(knob) if choice else ends(knob)[:1]:
            design = turned(start, knob, value)
            if design != start:
                yield f"{knob.name}={knob.text(value)}", design


CASES = [
    pytest.param(design, id=f"{key} {label}")
    for key, family in families().items()
    for label, design in small_corners(family)
]
EVERY_FAMILY = pytest.mark.parametrize("family", families().values(), ids=list(families()))


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Executes a text as a module of its own (a dataclass looks its module up by name)."""

    def execute(text: str) -> ModuleType:
        module = ModuleType("exported")
        monkeypatch.setitem(sys.modules, "exported", module)
        exec(compile(text, "exported.py", "exec"), module.__dict__)
        return module

    return execute


@pytest.mark.parametrize("design", CASES)
def test_the_exported_model_is_the_live_model(design: Design, executed: Any) -> None:
    family = design.family
    live, expected = run(family.model, family.example, design.config)
    made = promised(design, live, expected)
    module = executed(made.text)
    parts = (getattr(module, name) for name in (made.model, made.example))
    exported, outputs = run(*parts, getattr(module, made.config)())
    assert type(exported) is not type(live)
    mine, theirs = exported.state_dict(), live.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert all(torch.equal(a, b) for a, b in zip(outputs, expected, strict=True))


@EVERY_FAMILY
def test_the_default_preset_has_the_live_parameters(family: Family, executed: Any) -> None:
    design = family.design()
    made = script(design, params=0, macs=0, output_shapes=((1,),))
    module = executed(made.text)
    config = getattr(module, made.config)()
    with torch.device("meta"):
        live = family.model(design.config)
        exported = getattr(module, made.model)(config)
    mine, theirs = ({k: v.shape for k, v in m.state_dict().items()} for m in (exported, live))
    assert mine == theirs


def test_every_text_is_clean_and_knows_no_studio(tmp_path: Path) -> None:
    for key, family in families().items():
        for number, (_, design) in enumerate([("", family.design()), *corners(family)]):
            text = unchecked(design)
            assert not re.search(r"^\s*(import|from) studio|knob\(", text, re.MULTILINE)
            (tmp_path / f"{key}_{number}.py").write_text(text)
    many = script(families()["vit"].design(), params=0, macs=0, output_shapes=((1, 1000),) * 12)
    (tmp_path / "many_outputs.py").write_text(many.text)
    ruff = [sys.executable, "-m", "ruff"]
    check = [*ruff, "check", "--isolated", "--line-length=100", "--select=E,F,W,I,UP,B", tmp_path]
    style = [*ruff, "format", "--isolated", "--line-length=100", "--diff", tmp_path]
    for command in (check, style):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_every_family_runs_and_proves_its_figures_without_the_studio(tmp_path: Path) -> None:
    paths = [tmp_path / f"{key}.py" for key in families()]
    for path, family in zip(paths, families().values(), strict=True):
        design = small(family)
        live = run(family.model, family.example, design.config)
        path.write_text(promised(design, *live).text)
    command = [sys.executable, "-W", "error", "-c", BARE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("parameters, output shape") == len(paths)


@pytest.mark.parametrize(
    "wrong", [{"params": 1}, {"output_shapes": ((1, 11),)}, {"output_shapes": ((1, 10), (1, 10))}]
)
def test_a_script_with_wrong_figures_fails(wrong: dict[str, Any], tmp_path: Path) -> None:
    design = small(families()["vit"]).replace(num_classes=10)
    count = sum(p.numel() for p in design.family.model(design.config).parameters())
    right = {"params": count, "macs": 1, "output_shapes": ((1, 10),)}
    path = tmp_path / "exported.py"
    path.write_text(script(design, **right).text)  # type: ignore[arg-type]
    runpy.run_path(str(path), run_name="__main__")
    path.write_text(script(design, **{**right, **wrong}).text)
    with pytest.raises(AssertionError):
        runpy.run_path(str(path), run_name="__main__")


def test_the_file_says_what_it_is() -> None:
    design = families()["vit"].design(depth=6)
    link = "http://localhost:8501/?" + design.query
    made = script(design, params=44_040_424, macs=8_900_000, output_shapes=((1, 1000),), link=link)
    head = made.text.partition('"""\n\n')[0]
    for part in (
        "Vision Transformer, depth=6",
        "44,040,424",
        "8,900,000",
        "(MACs)",
        "batch 1",
        link,
    ):
        assert part in head
    assert "https://arxiv.org/abs/2010.11929" in head
    assert (made.config, made.model, made.example) == ("ViTConfig", "ViT", "example")


def test_a_title_of_any_length_keeps_to_the_columns(executed: Any) -> None:
    family = families()["tcn"]
    for length in range(60, 120):
        titled = dataclasses.replace(family, title=("word " * 30)[:length].strip())
        design = Design(titled, family.presets[1].config)
        text = unchecked(design)
        assert max(map(len, text.splitlines())) <= 100
        title = " ".join(executed(text).__doc__.split("\n\n")[0].split())
        assert title == f"{titled.title}: {design.title}."


def test_a_link_cannot_end_the_docstring(executed: Any) -> None:
    link = 'http://host/?a="""\nraise SystemExit\n"""'
    design = small(families()["vit"])
    text = script(design, params=1, macs=1, output_shapes=((1,),), link=link).text
    assert "raise%20SystemExit" in executed(text).__doc__.replace("%0A", "")


def test_nested_outputs_are_checked_one_by_one(executed: Any) -> None:
    design = small(families()["vit"]).replace(num_classes=10)
    live, _ = run(design.family.model, design.family.example, design.config)
    count = sum(p.numel() for p in live.parameters())
    made = script(design, params=count, macs=1, output_shapes=((1, 10),) * 3)
    nested = "{'a': model(*inputs), 'b': (model(*inputs), [model(*inputs)])}"
    text = made.text.replace("tensors(model(*inputs))", f"tensors({nested})")
    assert nested in text
    module = executed(text)
    exec(compile(text, "exported.py", "exec"), vars(module) | {"__name__": "__main__"})
