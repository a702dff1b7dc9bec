"""Every family of the zoo is complete, and a new file is a new family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import zoo
from studio.family import DesignError, Family
from studio.zoo import design_from_query, families, keys

every_family = pytest.mark.parametrize("family", families().values(), ids=list(families()))

TOY = '''"""A lesson on toys."""
from dataclasses import dataclass

import torch
from torch import nn

from studio.family import Family, Guide, Preset
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    width: int = knob(4, "Width", axis="width", ge=1, le=8)


class Toy(nn.Linear):
    def __init__(self, config):
        super().__init__(config.width, config.width)


FAMILY = Family(
    title="Toy",
    config=ToyConfig,
    model=Toy,
    example=lambda config, batch: (torch.randn(batch, config.width),),
    presets=(Preset("Toy-4", ToyConfig(), 20, "here"),),
    guide=Guide(
        tasks=(), data="small", use_when="", avoid_when="", strengths=(), cost="", related=()
    ),
)
'''


@pytest.fixture
def extra_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files are families too."""
    monkeypatch.setattr(zoo, "__path__", [*zoo.__path__, str(tmp_path)])
    families.cache_clear()
    keys.cache_clear()
    yield tmp_path
    families.cache_clear()
    keys.cache_clear()


def test_families_are_sorted_files() -> None:
    files = {path.stem for path in Path(zoo.__file__).parent.glob("*.py")} - {"__init__"}
    assert list(families()) == sorted(files)
    assert all(family.key == key for key, family in families().items())


def test_a_new_file_is_a_new_family(extra_room: Path) -> None:
    (extra_room / "toy_of_the_test.py").write_text(TOY)
    design = design_from_query({"family": "toy_of_the_test", "width": "2"})
    assert design.title == f"{design.family.title}, width=2"
    assert design.family.lesson == "A lesson on toys."


def test_a_file_without_a_family_is_an_error_of_its_author(extra_room: Path) -> None:
    (extra_room / "empty_of_the_test.py").write_text("")
    with pytest.raises(AttributeError, match="FAMILY"):
        families()


@every_family
def test_the_lesson_has_its_parts(family: Family) -> None:
    for part in ("\nShapes: B batch", "\nPaper: ", "\nOfficial code: ", "https://"):
        assert part in family.lesson, part
    assert "$" in family.lesson


@every_family
def test_knobs_have_meaning_and_limits(family: Family) -> None:
    assert 1 <= len(family.knobs) <= 13
    assert {"depth", "width"} <= {knob.axis for knob in family.design().knobs.values()}
    for knob in family.knobs.values():
        assert knob.help, knob.name
        if not knob.options and not isinstance(knob.default, bool):
            assert knob.ge is not None, knob.name
            assert knob.le is not None, knob.name


@every_family
def test_presets_have_names_of_their_own_and_legal_values(family: Family) -> None:
    names = [preset.name.lower() for preset in family.presets]
    configs = [preset.config for preset in family.presets]
    assert len(set(names)) == len(names)
    assert len(set(configs)) == len(configs)
    for preset in family.presets:
        assert preset.source
        for name, value in family.design(preset.name).settings.items():
            assert family.knobs[name].read(value) == value


@every_family
def test_the_guide_speaks_of_what_there_is(family: Family) -> None:
    guide = family.guide
    assert guide.tasks
    assert all((guide.use_when, guide.avoid_when, guide.strengths, guide.cost))
    assert family.key not in guide.related
    for result in guide.results:
        assert family.preset(result.preset).name == result.preset
        assert result.source


@every_family
def test_related_families_are_in_the_zoo(family: Family) -> None:
    assert set(family.guide.related) <= set(families())


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    with pytest.raises(DesignError) as refused:
        zoo.family("nosuch")
    assert sorted(refused.value.nearest) == sorted(families())
