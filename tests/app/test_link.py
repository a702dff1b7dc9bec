"""Every state of the page comes back from its link; a link that is half wrong is half honoured."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import studio
from studio.drawing.graph import Graph
from studio.family import BATCH
from studio.quoting import echoed
from studio.workbench import results
from studio.workbench.compose import composition
from studio.workbench.link import MOST, MOST_LISTED, SIZE
from studio.workbench.page.colour_mode import ColourMode
from studio.workbench.page.memory_options import MemoryOptions
from studio.workbench.page.requirements_form import RequirementsForm
from studio.workbench.page.state import FIRST, IGNORED, START, State
from studio.workbench.workload import Workload
from tests.app.walks import ACTIONS

UNSAID = {"previous", "notes", "refusal"}  # what a link does not tell
PARTS = [field.name for field in fields(State) if field.name not in UNSAID]


def reloaded(state: State) -> State:
    """What a browser opens that is given the address of a page."""
    return FIRST.follow_link(dict(parse_qsl(urlencode(state.link))))


def comes_back(state: State) -> None:
    again = reloaded(state)
    assert (again.refusal, again.notes) == ("", {}), state.link
    assert {p: getattr(again, p) for p in PARTS} == {p: getattr(state, p) for p in PARTS}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_state_that_can_be_reached_comes_back_from_its_link(data: st.DataObject) -> None:
    state = FIRST
    for _ in range(12):
        state = data.draw(st.sampled_from(ACTIONS))(state, data.draw)
        comes_back(state)


def test_what_a_composition_needs_to_fit_finds_no_room_beyond_its_last_stage() -> None:
    """Rows that are inserted count too: else the page would write a link that it refuses."""
    hybrid = studio.families()["hybrid"]
    most = max(hybrid.knobs["stages"].lengths)
    design = hybrid.design(stages="Conv() " * most, head="PooledHead()")
    full = FIRST.with_workload(replace(FIRST.workload, design=design))
    full = replace(full, preset=full.design.base)
    for i in (0, most // 2, most + 1):
        for kind in composition.kinds(hybrid, composition.place(full.stages, i)).values():
            state = full.with_stages(composition.change_kind(full.stages, i, kind), i)
            assert len(state.stages) == most + 2
            comes_back(state)
    with pytest.raises(studio.DesignError, match="at most 32 stages"):
        hybrid.design(stages="Conv() Transformer() " * (most // 2))


def every_box(graph: Graph) -> tuple[str, ...]:
    return tuple(node.id for node in graph.root.walk() if node.id)


@pytest.mark.parametrize("family", studio.families())
def test_every_box_of_every_family_can_be_open_in_a_link(family: str) -> None:
    design = studio.design(family)
    state = replace(FIRST.choose_preset(family), view="Compose")
    boxes = every_box(results.graph(Workload(design)))
    for node in (boxes[0], boxes[-1], max(boxes, key=len)):
        comes_back(replace(state, opened=boxes, node=node))


def test_no_knob_is_called_as_a_parameter_of_the_page() -> None:
    """Else a link could not tell them apart."""
    workload = Workload(START, 2, "training", "bfloat16", "channels_last", True)
    asked = RequirementsForm("detection", "compound", (("max-params", "5 M"),))
    page = set(
        State(
            workload=workload, preset=START.base, pins=(workload,), view="Compare", tab="Code",
            axis="depth",
            memory_options=MemoryOptions("inference", "sgd", "resolution", 3.0), requirements=asked,
            colour_mode=ColourMode("macs", True), opened=("a",), node="a", place="stages.1",
        ).link
    ) - {"family", "preset"} | {"draft", "device"}  # fmt: skip
    assert {"view", "tab", "axis", "open", "node", "place", "pin", "batch", "heat"} <= page
    for family in studio.families().values():
        assert not page & set(family.knobs)


HOSTILE = st.text() | st.sampled_from(
    [
        "",
        "nan",
        "1e999",
        "-1",
        "0",
        "9" * 400,
        "[x](https://e.example)",
        "\x00\n\u202e",
        "true",
        "|,",
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_wrong_with_a_link_costs_no_more_than_that(data: st.DataObject) -> None:
    """Some parameters of a good link are spoilt, unknown ones come with it: the rest is honoured,
    and the page that opens has a link of its own."""
    state = FIRST
    for _ in range(4):
        state = data.draw(st.sampled_from(ACTIONS))(state, data.draw)
    link = state.link
    wrong = data.draw(st.sets(st.sampled_from(sorted(set(link) - {"family", "preset"}) or ["tab"])))
    spoilt = link | {name: data.draw(HOSTILE) for name in wrong}
    spoilt |= data.draw(st.dictionaries(st.sampled_from(["utm_source", "deep", "x.y"]), HOSTILE))
    found = FIRST.follow_link(spoilt)
    assert (found.design.family, found.preset) == (state.design.family, state.preset)
    assert found.refusal.isprintable()
    assert len(found.refusal) < 4000
    view = {name for name in link if name not in state.workload.to_query(state.preset)} - wrong
    assert {name: found.link.get(name) for name in view - {"axis", "draft"}} == {
        name: link[name] for name in view - {"axis", "draft"}
    }
    comes_back(found)


@pytest.mark.parametrize(
    ("link", "title", "said", "note"),
    [
        ({"utm_source": "moodle", "depth": "6"}, "ViT-B/16, depth=6", "", "utm_source"),
        ({"family": "vit", "deep": "5", "depth": "6"}, "ViT-B/16, depth=6", "", "deep"),
        ({"family": "vlt", "depth": "6"}, "ViT-B/16, depth=6", "no family 'vlt'", ""),
        ({"preset": "vit b16"}, "ViT-B/16", "no preset 'vit b16'", ""),
        (
            {"depth": "600", "num_heads": "5", "image_size": "288"},
            "ViT-B/16, depth=48, num_heads=4, image_size=288",
            "Used instead: depth=48, num_heads=4.",
            "",
        ),
        ({"depth": "many", "embed_dim": "384"}, "ViT-B/16, embed_dim=384", "depth=many", ""),
        ({"family": "vit", "num_heads": "7", "embed_dim": "448"}, None, "", ""),
    ],
)  # fmt: skip
def test_a_bad_value_lands_on_the_nearest_and_the_rest_is_honoured(
    link: dict[str, str], title: str | None, said: str, note: str
) -> None:
    found = FIRST.follow_link(link)
    assert title is None or found.title == title
    assert said in found.refusal
    assert bool(said) == bool(found.refusal)
    assert note in found.notes.get(IGNORED, "")
    assert bool(note) == (IGNORED in found.notes)


@pytest.mark.parametrize(
    ("link", "reads", "said"),
    [
        ({"tab": "Colde"}, {"tab": "Code"}, "tab=Colde is not one of its options"),
        ({"view": "compare"}, {"view": "Compare"}, "view=compare"),
        ({"axis": "widht"}, {"axis": "width"}, "axis=widht"),
        ({"place": "../x"}, {"place": "stages.0"}, "place=../x is not a stage"),
        ({"memory.room": "-3"}, {}, "memory.room=-3 is outside"),
        ({"node": "n" * 300}, {"node": ""}, "node has 300 characters"),
        ({"ask.max-params": "5" * 500}, {}, "ask.max-params has 500 characters"),
        ({"ask.task": "detect"}, {}, "ask.task=detect"),
        ({"pin": "family=vit&depth=6|garbage"}, {}, "pin=garbage names no family"),
        ({"pin": "family=vit&depth=600"}, {}, "of a pinned design, depth=600 is outside"),
    ],
)
def test_a_bad_part_of_the_view_lands_on_the_nearest(
    link: dict[str, str], reads: dict[str, str], said: str
) -> None:
    found = FIRST.follow_link(link | {"depth": "6"})
    assert found.title == "ViT-B/16, depth=6"
    assert {name: getattr(found, name) for name in reads} == reads
    assert said in found.refusal
    assert len(found.pins) == ("pin" in link)


def test_a_link_is_read_as_far_as_it_is_of_a_sensible_size() -> None:
    long = FIRST.follow_link({"family": "hybrid", "stages": "A" * SIZE, "batch": "4"})
    assert "at most 131,072 characters; ignored: stages" in long.refusal
    assert long.workload.batch == 4
    many = FIRST.follow_link({"batch": "4"} | {f"x{i}": "1" for i in range(10 * MOST)})
    assert many.workload.batch == 4
    assert f"at most {MOST} parameters" in many.refusal
    assert many.notes[IGNORED].endswith("more.")


def test_what_the_page_was_refused_or_did_not_know_is_forgotten_at_the_next_move() -> None:
    found = FIRST.follow_link({"utm_source": "x", "depth": "600"})
    assert found.notes
    assert found.refusal
    moved = found.set_knob("depth", 7)
    assert (moved.notes, moved.refusal) == ({}, "")


def test_the_batch_has_one_range_everywhere() -> None:
    largest = int(BATCH.le or 0)
    assert FIRST.set_knob("batch", largest).workload.batch == largest
    assert FIRST.follow_link({"batch": str(largest)}).workload.batch == largest
    assert (
        f"{largest + 1} is outside 1 to {largest}" in FIRST.set_knob("batch", largest + 1).refusal
    )


def taken(refusal: str) -> dict[str, str]:
    """What the page says it takes in the place of what it was asked."""
    said = (
        refusal.rpartition("Used instead: ")[2].removesuffix(".")
        if "Used instead: " in refusal
        else ""
    )
    return dict(one.split("=", 1) for one in re.split(r", (?=[\w.]+=)", said) if one)


@pytest.mark.parametrize(
    ("link", "settings"),
    [
        (
            {"family": "hybrid", "stem": "ConvStem(image_size=32, depth=5)"},
            {"stem.image_size": 32, "stem.depth": 4},
        ),
        (
            {"family": "vit", "num_heads": "7", "image_size": "225", "depth": "5"},
            {"num_heads": 6, "image_size": 224, "depth": 5},
        ),
        (
            {"family": "vit", "num_heads": "5", "depth": "many", "pool": "x", "image_size": "288"},
            {"depth": 12, "num_heads": 4, "image_size": 288},
        ),
        (
            {"family": "hybrid", "stem.depht": "2", "stem.width": "9" * 9, "stem.image_size": "64"},
            {"stem.image_size": 64},
        ),
        (
            {"family": "hybrid", "stages": "Conv(depth=-3, width=96) Conv(depth=1000)"},
            {"stages.0.depth": 1, "stages.0.width": 96, "stages.1.depth": 32},
        ),
    ],
)
def test_a_bad_value_costs_no_good_neighbour(
    link: dict[str, str], settings: dict[str, object]
) -> None:
    found = FIRST.follow_link(link)
    assert {name: found.design.value(name) for name in settings} == settings
    assert found.refusal
    comes_back(found)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_said_to_be_taken_is_what_is_on_the_page(data: st.DataObject) -> None:
    """Some knobs of a family get a value that cannot be: what the page says stands there, and all
    that it does not speak of is as it was asked."""
    family = data.draw(st.sampled_from(list(studio.families().values())))
    knobs = data.draw(st.lists(st.sampled_from(list(family.knobs)), min_size=1, max_size=3))
    bad = st.sampled_from(["-1", "7", "999983", "many", "nan", ""])
    link = {name: data.draw(bad) for name in knobs}
    found = FIRST.follow_link({"family": family.key, **link})
    said = taken(found.refusal)
    for name, text in said.items():
        assert text == echoed(found.design.knobs[name].text(found.design.value(name)))
    base = found.preset.config
    for name, knob in family.knobs.items():
        if name in said or (name in link and found.refusal.count("Also, ") >= MOST_LISTED):
            continue
        wanted = knob.read(link[name]) if name in link else getattr(base, name)
        assert found.design.value(name) == wanted, found.refusal
    for sentence in re.split(r"(?<=[^.])\. ", found.refusal):
        assert not sentence or sentence[0].isupper()
    comes_back(found)


DRAFTS = {
    "ConvStem() Transformer() PooledHead()": ("stages.0", "stages.2"),
    "ConvStem() Conv() Transformer() MeanTokenHead()": ("stages.1",),
    "ConvStem() Conv() PooledHead()": (),
    "ConvStem() Conv(depth=1000) Transformer() MeanTokenHead()": ("stages.1",),
    "ConvStem() Conv() Trnsformer() MeanTokenHead()": ("stages.1",),
}


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("by", ["draft", "stages"])
def test_a_composition_that_fits_with_insertions_is_opened_and_they_are_named(
    draft: str, by: str
) -> None:
    stem, *stages, head = draft.split(") ")
    rows = {"stem": f"{stem})", "stages": " ".join(f"{row})" for row in stages), "head": head}
    link = {"draft": draft} if by == "draft" else rows
    found = FIRST.follow_link({"view": "Compose", "family": "hybrid", **link})
    assert found.invalid_composition is None
    assert type(found.stages[0]).__name__ == "ConvStem"
    places = DRAFTS[draft]
    assert tuple(found.notes) == places
    assert len(found.stages) == len(places) + len(stages) + 2
    for place in places:
        row = found.stages[composition.index(found.stages, place)]
        assert f"{type(row).__name__}() as {place}" in found.refusal
    comes_back(replace(found, notes={}, refusal=""))
