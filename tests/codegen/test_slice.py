"""What a slice carries, in which order, and how a knob is written in it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import studio.blocks
import studio.zoo
from studio.codegen.slice import Slice, slice_design
from studio.family import Design
from studio.zoo import families

Write = Callable[..., Design]

CONFIG = """
from dataclasses import dataclass
from torch import nn
from studio.knobs import knob

@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = knob(3, "Size")
{fields}

class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.inner = nn.Identity(){uses}

# Nothing goes in.
def example(config, batch):
    return ()
"""


def names(found: Slice) -> list[str]:
    return [definition.name for definition in found.definitions]


def text(found: Slice, name: str) -> str:
    return next(d.text for d in found.definitions if d.name == name)


@pytest.fixture
def write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Write]:
    """Writes a family's file and its blocks into rooms of their own, and gives its design."""
    families()  # found before the rooms grow
    for room in (studio.zoo, studio.blocks):
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    known = set(sys.modules)

    def design(top: str = "", fields: str = "", uses: str = "", **blocks: str) -> Design:
        prefix = f"sample_{abs(hash(request.node.name))}"
        for name, block in blocks.items():
            (tmp_path / f"{prefix}_{name}.py").write_text(
                block.replace("BLOCKS", f"studio.blocks.{prefix}")
            )
        family = CONFIG.format(fields=fields, uses=uses) + "\n"
        (tmp_path / f"{prefix}.py").write_text(
            top.replace("BLOCKS", f"studio.blocks.{prefix}") + family
        )
        module = importlib.import_module(f"studio.zoo.{prefix}")
        shown = families()["vit"]
        sample = type(shown)(
            title="Sample", config=module.Config, model=module.Model, example=module.example,
            presets=(), guide=shown.guide,
        )  # fmt: skip
        return Design(sample, module.Config())

    yield design
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_only_the_chosen_classes_are_carried() -> None:
    vit = families()["vit"]
    plain, rms = (slice_design(vit.design(norm=norm)) for norm in ("LayerNorm", "RMSNorm"))
    assert "LayerNorm" in names(plain)
    assert "RMSNorm" not in names(plain)
    assert "RMSNorm" in names(rms)
    assert "LayerNorm" not in names(rms)


def test_the_config_comes_right_after_what_it_is_made_of() -> None:
    found = names(slice_design(families()["vit"].design(norm="RMSNorm")))
    assert found[:2] == ["RMSNorm", "ViTConfig"]
    assert found[-2:] == ["ViT", "example"]


def test_a_knob_becomes_the_designs_value_with_its_help() -> None:
    config = text(slice_design(families()["vit"].design(depth=7, activation="ReLU")), "ViTConfig")
    assert "    depth: int = 7  # Encoder blocks L\n" in config
    assert "    activation: type[nn.Module] = nn.ReLU  # Activation of the MLP\n" in config
    assert "knob(" not in config


def test_a_help_too_long_for_its_line_stands_above_it(write: Write) -> None:
    help = "word " * 19 + "end"
    config = text(slice_design(write(fields=f'    rate: float = knob(0.5, "{help}")')), "Config")
    assert "end\n    rate: float = 0.5" in config
    assert max(map(len, config.splitlines())) <= 100


def test_a_comment_above_a_definition_goes_with_it(write: Write) -> None:
    assert text(slice_design(write()), "example").startswith("# Nothing goes in.\ndef example")


def test_a_local_name_is_not_taken_for_a_definition(write: Write) -> None:
    design = write(top="SCALE = 2\n", uses="\n        SCALE = 3\n        self.scale = SCALE")
    assert "SCALE" not in names(slice_design(design))


def test_constants_and_functions_are_followed_through_blocks(write: Write) -> None:
    design = write(
        top="from BLOCKS_scale import scale\n",
        uses="\n        self.scale = scale(config.size)",
        scale="import math\nFACTOR = 2\ndef scale(x):\n    return math.sqrt(FACTOR * x)\n",
    )
    found = slice_design(design)
    assert names(found) == ["Config", "FACTOR", "scale", "Model", "example"]
    assert {i.bound for i in found.imports} == {"dataclass", "nn", "math"}


PLAIN = '''
from BLOCKS_far import FAR, NEAR

class Plain:
    """A class of ours."""

    # Nobody reads it.
    unread = 1
    quoted = 2

    @property
    def far(self):
        return self.farther

    @property
    def farther(self):
        return FAR

    def near(self):
        return NEAR

    def __len__(self):
        return getattr(self, "quoted")
'''


def test_members_that_nothing_reads_stay_behind_with_what_they_read(write: Write) -> None:
    design = write(
        top="from BLOCKS_plain import Plain\n",
        uses="\n        self.near = Plain().near()",
        plain=PLAIN,
        far="FAR = 1\nNEAR = 2\n",
    )
    found = slice_design(design)
    assert names(found) == ["Config", "NEAR", "Plain", "Model", "example"]
    plain = text(found, "Plain")
    assert 'ours."""\n\n    quoted = 2\n\n    def near(self)' in plain
    assert "def __len__" in plain


def test_two_definitions_of_one_name_are_refused(write: Write) -> None:
    design = write(
        top="from BLOCKS_a import A\nfrom BLOCKS_b import B\n",
        uses="\n        self.parts = A(), B()",
        a="class Same: ...\nclass A(Same): ...\n",
        b="class Same: ...\nclass B(Same): ...\n",
    )
    with pytest.raises(ValueError, match=r"Same has different meanings in .*_[ab] and .*_[ab]"):
        slice_design(design)


def test_a_part_that_lives_outside_zoo_and_blocks_is_refused(write: Write) -> None:
    design = write(top="from studio.family import Preset\n", uses="\n        Preset")
    with pytest.raises(ValueError, match=r"Preset of studio\.family, which cannot be exported"):
        slice_design(design)
