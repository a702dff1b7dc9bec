"""What the knob panels show of every family, as values, and what a move of a row does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import studio
from studio.app.compose.stage_knobs import stage_sections
from studio.app.knob_panel.contents import design_sections
from studio.app.knob_panel.labels import Label
from studio.app.knob_panel.rows import Row, Section, controls, is_value, turned
from studio.family import Family
from studio.records import RecordKnob
from studio.workbench.compose import composition
from studio.workbench.page.state import FIRST, State
from studio.workbench.page.turn import LENGTH
from studio.workbench.workload import CONDITIONS

FAMILIES = studio.families()
COMPOSED = [key for key, family in FAMILIES.items() if family.is_composed]
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
NONSENSE = (None, "", "x" * 300, [], {}, [1], -1, 10**400, 1e300, True, float("nan"), "nan", b"")


def sections(now: State, devices: tuple[str, ...] = ("cpu",)) -> tuple[Section, ...]:
    return design_sections(now, devices)


def row(now: State, id: str) -> Row:
    return controls(sections(now))[id]


def stages_of(now: State) -> list[State]:
    """The page with each of its stages open in turn."""
    places = (composition.place(now.stages, i) for i in range(len(now.stages)))
    return [replace(now, place=place) for place in places]


@each_family
def test_every_knob_has_its_row_and_every_row_its_value(family: Family) -> None:
    for preset in family.presets:
        now = FIRST.choose_preset(family.key, preset.name)
        shown = [row for section in sections(now) for row in section.rows]
        knobs = {name for name, knob in family.knobs.items() if not isinstance(knob, RecordKnob)}
        sizes = {knob.size for knob in family.knobs.values() if knob.size}
        assert {row.knob for row in shown} == knobs | sizes | CONDITIONS.keys()
        for one in controls(sections(now)).values():
            assert is_value(one, one.value)
            assert turned(now, one, one.value).design == now.design
        json.dumps([section.to_json() for section in sections(now)], allow_nan=False)


@each_family
def test_nonsense_from_a_browser_is_refused_in_a_sentence_or_ignored(family: Family) -> None:
    now = FIRST.choose_preset(family.key)
    for one in controls(sections(now)).values():
        for value in NONSENSE:
            found = turned(now, one, value)
            assert "\n" not in found.refusal
            assert found.design.family is family


@pytest.mark.parametrize("key", COMPOSED)
def test_every_stage_has_its_rows(key: str) -> None:
    for preset in FAMILIES[key].presets:
        for now in stages_of(FIRST.choose_preset(key, preset.name)):
            stage = now.stages[composition.index(now.stages, now.place)]
            found = stage_sections(now)
            names = {f"{now.place}.{name}" for name in composition.knobs_of(stage)}
            assert {row.knob for section in found for row in section.rows} == names
            for one in controls(found).values():
                assert is_value(one, one.value)
                assert turned(now, one, one.value).stages == now.stages
                for value in NONSENSE:
                    assert "\n" not in turned(now, one, value).refusal
            json.dumps([section.to_json() for section in found], allow_nan=False)


def test_rows_stand_by_the_axis_that_they_scale() -> None:
    now = FIRST.choose_preset("vit")
    titles = [section.title for section in sections(now)]
    assert titles == ["Depth", "Width", "Heads", "Resolution", "More", "", "Benchmark settings"]
    assert [row.id for row in sections(now)[1].rows] == ["vit.embed_dim"]
    assert [row.id for row in sections(now)[4].rows][:2] == ["vit.mlp_ratio", "vit.mlp_dim"]
    assert [section.title for section in sections(now) if section.folded] == [titles[4], titles[6]]


def test_a_row_is_named_in_words_with_the_symbol_and_the_name() -> None:
    found = row(FIRST.choose_preset("vit"), "vit.embed_dim")
    assert (found.label, found.name) == (Label("Token width", "D"), "embed_dim")
    found = row(FIRST.choose_preset("vit"), "vit.mlp_dim")
    assert (found.label, found.name) == (Label("Hidden width of the MLP"), "mlp_dim")
    assert row(FIRST, "batch").name == ""  # it would say the same twice


def test_an_entry_of_a_tuple_is_moved_by_itself_and_its_number_too() -> None:
    now = FIRST.choose_preset("resnet", "ResNet-18")
    now = turned(now, row(now, "resnet.depths.2"), 6)
    assert now.design.value("depths") == (2, 2, 6, 2)
    now = FIRST.choose_preset("diffusion")
    before = now.design.value("channel_mult")
    length = row(now, "diffusion.channel_mult.length")
    assert (length.entry, length.value) == (LENGTH, len(before))
    now = turned(now, length, len(before) - 1)
    assert now.design.value("channel_mult") == before[:-1]
    assert turned(now, length, 10**9) == now  # it would take all the memory


def test_a_snapped_value_says_why() -> None:
    now = FIRST.choose_preset("vit", "ViT-S/16")
    now = turned(now, row(now, "vit.num_heads"), 7)
    assert "num_heads was set to 8" in row(now, "vit.num_heads").note
    assert row(now, "vit.num_heads").value == 8


def test_the_preset_and_pinned_designs_are_marked() -> None:
    now = FIRST.choose_preset("vit", "ViT-S/16")
    now = now.set_knob("depth", 20)
    now = now.pin(now.workload).set_knob("depth", 6)
    marks = {mark.owner: mark.value for mark in row(now, "vit.depth").marks}
    assert marks == {"ViT-S/16": 12, "pinned: ViT-S/16, depth=20": 20}
    assert not row(now.choose_preset("bert"), "bert.depth").marks[1:]  # of another family


def test_a_device_is_chosen_where_there_are_several() -> None:
    assert "device" not in controls(sections(FIRST))
    found = controls(sections(FIRST, ("cpu", "cuda:0")))["device"]
    assert turned(FIRST, found, "cuda:0").workload.device == "cuda:0"
    assert turned(FIRST, found, "cuda:7") == FIRST


def test_a_move_of_a_row_that_has_gone_is_none() -> None:
    """A slow browser may tell of the family that was on the page before."""
    assert "vit.depth" not in controls(sections(FIRST.choose_preset("resnet")))
