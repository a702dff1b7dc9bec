"""Every file of the zoo and the blocks can be exported, and a file that cannot says why."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest

import studio.blocks
import studio.zoo
from studio.codegen.source import check_module, load

MODULES = [
    f"{room.__name__}.{module.name}"
    for room in (studio.zoo, studio.blocks)
    for module in pkgutil.iter_modules(room.__path__)
]

BROKEN = {
    "import studio.blocks.norm": "must import studio.blocks.norm as `from",
    "from studio.blocks.norm import RMSNorm as Norm": "must import studio.blocks.norm as",
    "from studio.blocks.norm import *": "imports *, which studio.blocks.norm does not define",
    "from studio.blocks import norm": "imports norm, which studio.blocks does not define",
    "from .norm import RMSNorm": "only torch and the standard library",
    "import numpy as np": "only torch and the standard library",
    "import torch.nn": "imports torch.nn without an alias",
    "from math import *": "imports everything of math",
    "def f():\n    import math": "line 2 imports below the top level",
    "if True:\n    A = 1": "line 1 is neither an import nor the definition of one name",
    "A, B = 1, 2": "neither an import nor the definition of one name",
    "print()": "neither an import nor the definition of one name",
    "A = 1\nA = 2": "line 2 defines A again",
    "A = knob(1, help='Depth')": "line 1: knob() must begin with a default and a help",
}


@pytest.mark.parametrize("module", MODULES)
def test_every_file_keeps_the_rules(module: str) -> None:
    assert check_module(module) == ()


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_rule_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"broken_{list(BROKEN).index(text)}"
    (tmp_path / f"{name}.py").write_text(f"{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    (complaint,) = check_module(name)
    assert BROKEN[text] in complaint
    with pytest.raises(ValueError, match=f"{name} cannot be exported"):
        load(name)


def test_a_definition_has_its_decorators_and_the_comment_above() -> None:
    source = load("studio.zoo.vit")
    first, last = source.lines_of(source.statements["ViTConfig"])
    assert source.lines[first - 1].startswith("@dataclass")
    assert source.lines[last - 1].strip() == ")"
