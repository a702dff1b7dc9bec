"""A design is a value: equal by content, written and read back, and never illegal."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import studio
from studio.cli import tables
from studio.family import Design, DesignError, Family
from studio.knobs import Knob
from studio.records import RecordKnob, value_of
from studio.zoo import design_from_json, design_from_query, families, family

PRESETS = [(each, preset) for each in families().values() for preset in each.presets]
every_preset = pytest.mark.parametrize(
    ("family", "preset"), PRESETS, ids=[f"{f.key}: {p.name}" for f, p in PRESETS]
)

text = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
garbage: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=6
)
keys = st.sampled_from([*families(), "nosuch"])
every_knob = sorted({name for each in families().values() for name in each.knobs})
names = st.sampled_from([*every_knob, "self", "preset", "family", "config"]) | text


def legal(knob: Knob) -> st.SearchStrategy[Any]:
    """Values that the knob takes on its own, whatever the other knobs say."""
    if knob.options or isinstance(knob.default, bool):
        return st.sampled_from(knob.options or (False, True))
    assert knob.ge is not None
    assert knob.le is not None
    if isinstance(knob.default, float):
        return st.floats(knob.ge, knob.le)
    entry = st.integers(int(knob.ge), int(knob.le)).map(lambda v: int(knob.clamp(v)))
    if isinstance(knob.default, int):
        return entry
    lengths = st.sampled_from(knob.lengths or (len(knob.default),))
    return lengths.flatmap(lambda n: st.tuples(*[entry] * n))


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """A preset of any family after a few turns of its knobs."""
    chosen, preset = draw(st.sampled_from(PRESETS))
    config = preset.config
    for name in draw(st.lists(st.sampled_from(list(chosen.knobs)), max_size=4)):
        turned = attempt(lambda n=name, c=config: chosen.snap(c, n, draw(legal(chosen.knobs[n]))))
        config = config if isinstance(turned, DesignError) else turned.config
    return Design(chosen, config)


def attempt(make: Callable[[], Any]) -> Any:
    """What was made, or the refusal. Any other exception is a failure of the test."""
    try:
        return make()
    except DesignError as refused:
        return refused


def is_one_sentence(refused: DesignError) -> bool:
    message = str(refused)
    return 10 < len(message) < 600 and len(message.splitlines()) == 1


@every_preset
def test_a_preset_is_a_design_of_its_own_name(family: Family, preset: Any) -> None:
    design = family.design(preset.name.upper())
    assert design.preset == preset
    assert design.title == preset.name
    assert design.to_query() == {"family": family.key, "preset": preset.name}


@pytest.mark.parametrize("family", families().values(), ids=str)
def test_the_defaults_of_the_knobs_are_those_of_the_design_that_names_no_preset(
    family: Family,
) -> None:
    design = family.design()
    assert design.config == family.config()
    assert design.settings == {name: knob.default for name, knob in family.knobs.items()}
    listed = {knob["name"]: knob["default"] for knob in tables.family(family.key, family)["knobs"]}
    assert listed == design.to_dict()["config"]


@every_preset
def test_equal_designs_are_one_value(family: Family, preset: Any) -> None:
    one, other = family.design(preset.name), Design(family, preset.config)
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one


@settings(max_examples=200, deadline=None)
@given(design=designs())
def test_a_design_is_read_back_from_json_and_from_its_link(design: Design) -> None:
    assert design_from_json(design.to_json()) == design
    assert design_from_query(design.to_query()) == design
    assert design_from_query(dict(parse_qsl(design.query))) == design
    assert pickle.loads(pickle.dumps(design)) == design
    assert design.family.design(design.base.name, **design.changes(design.base)) == design


@settings(max_examples=200, deadline=None)
@given(data=st.data(), design=designs())
def test_a_turned_knob_lands_on_a_legal_design_and_says_why(
    data: st.DataObject, design: Design
) -> None:
    chosen = design.family
    name = data.draw(st.sampled_from(list(chosen.knobs)))
    value = data.draw(legal(chosen.knobs[name]))
    turn = attempt(lambda: chosen.snap(design.config, name, value))
    asked = attempt(lambda: design.replace(**{name: value}))
    if isinstance(turn, DesignError):
        assert isinstance(asked, DesignError)
        assert is_one_sentence(turn)
    else:
        landed = Design(chosen, turn.config)
        assert design_from_json(landed.to_json()) == landed  # made of values that knobs take
        assert bool(turn.why) == (landed != asked)
        assert len(landed.changes(type("Was", (), {"config": design.config}))) <= 2


@settings(max_examples=300, deadline=None)
@given(data=st.data(), design=designs())
def test_what_a_refusal_offers_is_accepted(data: st.DataObject, design: Design) -> None:
    name = data.draw(st.sampled_from(list(design.family.knobs)))
    value = data.draw(legal(design.family.knobs[name]) | garbage | st.integers().map(str))
    asked = attempt(lambda: design.replace(**{name: value}))
    if isinstance(asked, DesignError):
        assert is_one_sentence(asked)
        within = isinstance(design.family.knobs[name], RecordKnob)
        assert asked.knob == name or within
        assert (asked.knob if within else f"{name}=") in str(asked)
        for offer in asked.nearest:
            mended = design.replace(**{name: value, asked.knob: offer})
            assert within or mended.settings[name] == offer


@settings(max_examples=200, deadline=None)
@given(data=st.data(), design=designs())
def test_what_a_refusal_of_several_offers_goes_with_the_others(
    data: st.DataObject, design: Design
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(list(design.family.knobs)), min_size=2, max_size=3))
    asked = {name: data.draw(legal(design.family.knobs[name])) for name in chosen}
    refused = attempt(lambda: design.replace(**asked))
    if isinstance(refused, DesignError):
        for offer in refused.nearest:
            design.replace(**{**asked, refused.knob: offer})


@settings(max_examples=300, deadline=None)
@given(key=keys, query=st.dictionaries(names, text | st.integers().map(str), max_size=4))
def test_any_link_is_a_design_or_a_refusal(key: str, query: dict[str, str]) -> None:
    made = attempt(lambda: design_from_query({"family": key, **query}))
    assert isinstance(made, Design) or is_one_sentence(made)


@settings(max_examples=300, deadline=None)
@given(key=keys | garbage, preset=garbage, config=st.dictionaries(names, garbage) | garbage)
def test_any_json_is_a_design_or_a_refusal(key: object, preset: object, config: object) -> None:
    document = json.dumps({"family": key, "preset": preset, "config": config})
    made = attempt(lambda: design_from_json(document))
    assert isinstance(made, Design) or is_one_sentence(made)


@given(document=text | garbage.map(json.dumps))
def test_what_is_not_our_json_is_refused(document: str) -> None:
    assert is_one_sentence(attempt(lambda: design_from_json(document)))


@pytest.mark.parametrize("depth", [900, 980, 100_000])
def test_deep_brackets_are_refused(depth: int) -> None:
    config = '{"depth": ' + "[" * depth + "]" * depth + "}"
    document = f'{{"family": "vit", "config": {config}}}'
    assert is_one_sentence(attempt(lambda: design_from_json(document)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: family("nosuch"), "there is no family 'nosuch'; there are "),
        (
            lambda: family("vit").design("ViT-X"),
            "vit has no preset 'ViT-X'; of the 15 presets ",
        ),
        (lambda: family("vit").design(heads=2), "vit has no knob heads; did you mean num_heads?"),
        (
            lambda: family("vit").design(num_heads=7),
            "num_heads=7 must divide embed_dim=768; the nearest that works is num_heads=6 or ",
        ),
        (
            lambda: family("vit").design(embed_dim=10**9),
            "embed_dim=1000000000 is outside 64 to 1664; the nearest that works is 1536",
        ),
        (
            lambda: family("vit").design(num_heads=7, embed_dim=100),
            "num_heads=7 must divide embed_dim=100; the nearest that works is num_heads=5 or ",
        ),
        (lambda: design_from_json("[]"), "a design file holds "),
    ],
)
def test_refusals_say_what_there_is(make: Callable[[], Any], message: str) -> None:
    assert str(attempt(make)).startswith(message)


@settings(max_examples=200, deadline=None)
@given(design=designs())
def test_what_a_title_and_a_history_tell_of_a_knob_is_typed_back(design: Design) -> None:
    for name, was, here in design.differences(design.base.config):
        knob = design.knobs[name]
        if not isinstance(knob, RecordKnob):  # of which the kinds are told, and their knobs after
            assert knob.read(here) == design.value(name)
            assert knob.read(was) == value_of(design.base.config, name)


WITH_SIZES = [each for each in families().values() if any(k.size for k in each.knobs.values())]


@pytest.mark.parametrize("chosen", WITH_SIZES, ids=str)
def test_a_hidden_size_is_given_as_it_is_or_as_a_ratio(chosen: Family) -> None:
    start = chosen.design()
    ratio = next(knob for knob in chosen.knobs.values() if knob.size)
    for size in (start.value(ratio.of) * 2 - 1, start.value(ratio.of) + 7):
        design = start.replace(**{ratio.size: size})
        assert design.value(ratio.size) == size
        shapes = [p.shape for p in studio.build(design, device="meta").parameters()]
        assert any(size in shape for shape in shapes)
        quotient = f"{size}/{start.value(ratio.of)}"
        for same in (quotient, ratio.text(design.value(ratio.name))):
            assert start.replace(**{ratio.name: same}) == design
        assert chosen.snap(start.config, ratio.size, size).config == design.config
        assert design_from_json(design.to_json()) == design


@pytest.mark.parametrize(("embed_dim", "mlp_dim"), [(3584, 18944), (4096, 11008), (896, 4864)])
def test_hidden_sizes_of_published_models(embed_dim: int, mlp_dim: int) -> None:
    settings = {"num_heads": 14, "num_kv_heads": 2, "embed_dim": embed_dim}
    design = family("llama").design(mlp_dim=mlp_dim, **settings)
    assert design.value("mlp_dim") == mlp_dim
    with pytest.raises(DesignError, match=r"mlp_dim=7 is outside .* the nearest .* mlp_dim=") as no:
        design.replace(mlp_dim=7)
    assert all(design.replace(**way) for way in no.value.suggestions)


@pytest.mark.parametrize("chosen", families().values(), ids=str)
def test_a_step_is_for_the_slider_alone(chosen: Family) -> None:
    """Every whole number in the range that breaks no rule is a network that runs."""
    start = chosen.design()
    for name, knob in chosen.knobs.items():
        if knob.kind is int and not knob.options and (knob.step or 1) > knob.multiple:
            for value in (start.value(name) - knob.multiple, start.value(name) - 3 * knob.multiple):
                made = attempt(lambda n=name, v=value: start.replace(**{n: v}))
                if isinstance(made, Design):
                    assert studio.profile(made).macs > 0
                else:
                    assert "multiple of" not in str(made) or "patch" in str(made)


TINY = {"embed_dim": 192, "num_heads": 3}  # of ViT-Ti/16


@pytest.mark.parametrize(
    ("preset", "settings", "title"),
    [
        (None, {"depth": 6}, "{}, depth=6"),
        (None, TINY | {"depth": 6}, "{}, depth=6, embed_dim=192, num_heads=3"),
        (None, {}, "ViT-B/16"),
        (None, TINY, "ViT-Ti/16"),
        ("ViT-Ti/16", {"depth": 6}, "ViT-Ti/16, depth=6"),
        ("ViT-S/16", TINY | {"depth": 6}, "ViT-S/16, depth=6, embed_dim=192, num_heads=3"),
    ],
)
def test_a_design_is_called_by_a_preset_where_it_is_one_or_one_was_named(
    preset: str | None, settings: dict[str, Any], title: str
) -> None:
    vit = family("vit")
    design = vit.design(preset, **settings)
    assert sorted(design.title.split(", ")) == sorted(title.format(vit.title).split(", "))
    assert design.full_title.count(vit.title) == 1
    assert design.replace(depth=7).origin == design.origin
    assert design == vit.design(**{name: design.value(name) for name in vit.knobs})
    assert pickle.loads(pickle.dumps(design)).title == design.title


@pytest.mark.parametrize("key", families())
def test_a_design_that_names_no_preset_is_not_called_by_one(key: str) -> None:
    chosen = families()[key]
    for name, knob in chosen.knobs.items():
        turned = small_change(chosen.design(), name, knob)
        if turned and not turned.preset:
            assert turned.title.startswith(f"{chosen.title}, "), turned.title
            assert not any(f"{p.name}," in turned.title for p in chosen.presets)


def small_change(design: Design, name: str, knob: Knob) -> Design | None:
    for value in islice(knob.near(design.value(name)), 3):
        try:
            return design.replace(**{name: value})
        except DesignError:
            continue
    return None


def test_json_of_a_preset_alone_is_that_preset() -> None:
    document = '{"family": "vit", "preset": "ViT-L/16", "config": {"depth": 3}}'
    assert design_from_json(document).title == "ViT-L/16, depth=3"


def test_a_slider_goes_on_in_the_direction_of_its_move() -> None:
    vit = family("vit")
    config = vit.design("ViT-B/16").config
    up, down = vit.snap(config, "num_heads", 13), vit.snap(config, "num_heads", 11)
    assert (up.config.num_heads, down.config.num_heads) == (16, 8)
    assert up.why == "num_heads=13 must divide embed_dim=768, so num_heads was set to 16"


def test_a_choice_stays_and_the_other_knob_yields() -> None:
    vit = family("vit")
    turn = vit.snap(vit.design("ViT-B/16 @384").config, "patch_size", 14)
    assert turn.config.patch_size == 14
    assert turn.config.image_size == 378
    assert turn.why.endswith("so image_size was set to 378")


def test_classes_are_names_in_json_and_links() -> None:
    design = family("vit").design(activation="SiLU")
    assert design.config.activation is nn.SiLU
    assert design.to_dict()["config"]["activation"] == "SiLU"
    assert design.query == "family=vit&preset=ViT-B/16&activation=SiLU"


def test_a_stage_that_does_not_fit_is_told_though_a_row_was_put_before_it() -> None:
    stages = [{"kind": "Conv", "width": 64, "stride": 4}, {"kind": "Transformer", "num_heads": 6}]
    for more in ([], [{"kind": "Conv"}]):  # what is number 2 is missing, or has no num_heads
        with pytest.raises(DesignError, match=r"^stages.1: num_heads=6 must divide the width"):
            family("hybrid").design(stages=[*stages, *more])


@pytest.mark.parametrize("size", [3000, 3072, 3001, 1536])
def test_a_title_tells_a_size_as_it_is_set(size: int) -> None:
    design = family("vit").design(mlp_dim=size)
    typed = dict(part.split("=") for part in design.title.split(", ")[1:])
    assert family("vit").design(**typed) == design
    assert typed in ({}, {"mlp_dim": str(size)}, {"mlp_ratio": "2.0"})
