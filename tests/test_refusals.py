"""Whatever is refused, each way out that the refusal suggests leads to a design.

`REFUSED=10000` asks for as many designs.
"""

from __future__ import annotations

import os
from itertools import permutations
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from studio.family import Design, DesignError
from studio.knobs import Knob
from studio.records import RecordKnob, as_text
from studio.zoo import families, family
from tests.test_family import PRESETS, attempt, is_one_sentence

REFUSED = int(os.environ.get("REFUSED", "200"))
words = st.sampled_from(["", "abc", "nan", "-1", "1e9", "7", "3,3", "Conv()", "true", "\x00"])
wild = words | st.none() | st.integers(-2, 5000) | st.lists(st.integers(0, 9), max_size=4)


Asked = tuple[str, str, dict[str, Any]]  # of a preset of a family some settings


def values(knob: Knob) -> st.SearchStrategy[Any]:
    """What the knob takes by itself, and what it does not."""
    if isinstance(knob, RecordKnob):
        row = st.sampled_from(knob.options).flatmap(record)
        many = isinstance(knob.default, tuple)
        return st.lists(row, min_size=1, max_size=5).map(" ".join) if many else row
    if knob.options:
        return st.sampled_from(knob.options) | words
    if isinstance(knob.default, tuple):
        entry = st.integers(int(knob.ge or 0), int(knob.le or 9))
        return st.lists(entry, min_size=1, max_size=6)
    if isinstance(knob.default, bool):
        return st.booleans()
    return st.integers(int(knob.ge or 0), int(knob.le or 64)) | wild


def record(kind: type) -> st.SearchStrategy[str]:
    """A record as a text, with some small numbers in it that may break its rules."""
    start = kind()
    names = [n for n in ("kernel_size", "stride", "num_heads", "width") if hasattr(start, n)]
    numbers = st.dictionaries(st.sampled_from(names), st.integers(1, 40)) if names else st.just({})
    return numbers.map(
        lambda found: f"{kind.__name__}({', '.join(f'{n}={v}' for n, v in found.items())})"
    )


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """A preset, and a few settings of it or of its rows."""
    of_rows = [pair for pair in PRESETS if pair[0].key == "hybrid"]
    chosen, preset = draw(st.sampled_from(PRESETS) | st.sampled_from(of_rows))
    design = Design(chosen, preset.config)
    names = st.lists(st.sampled_from(list(design.knobs)), min_size=1, max_size=4, unique=True)
    settings = {name: draw(values(design.knobs[name])) for name in draw(names)}
    return chosen.key, preset.name, settings


def refused(design: Design, settings: dict[str, Any]) -> DesignError | None:
    try:
        design.replace(**settings)
    except DesignError as error:
        return error
    return None


@settings(max_examples=REFUSED, deadline=None)
@given(asked())
@example(("bert", "BERT-base", {"max_seq_len": 448, "embed_dim": 64}))
@example(("hybrid", "CRNN", {"stages.0.stride": 2}))
@example(("hybrid", "CRNN", {"stages.0.stride": 4, "stem.image_height": 9}))
@example(("hybrid", "CoAtNet-1", {"stages.3.num_heads": 7, "stages.2.num_heads": 5}))
@example(("hybrid", "CoAtNet-1", {"stages.3.num_heads": 71, "stages.3.width": 216}))
@example(("hybrid", "Residual stages + transformer", {"stem": "ConvStem(kernel_size=2)"}))
@example(
    (
        "hybrid",
        "Residual stages + transformer",
        {"stages": "Conv(kernel_size=2) ConvLSTM(kernel_size=4)"},
    )
)
@example(
    (
        "hybrid",
        "Residual stages + transformer",
        {"stem": "SeriesStem()", "stages": "Conv() Columns()"},
    )
)
@example(("hybrid", "Residual stages + transformer", {"stages": "Conv() Add(source=0) Conv"}))
@example(("hybrid", "Residual stages + transformer", {"stem": "ConvStem()", "stem.image_size": 8}))
@example(("vit", "ViT-B/16", {"depth": "abc", "embed_dim": [], "num_heads": None}))
def test_every_suggestion_of_a_refusal_works(case: Asked) -> None:
    key, preset, settings = case
    design = family(key).design(preset)
    error = refused(design, settings)
    event("refused" if error else "works")
    if error is None:
        return
    assert is_one_sentence(error), error
    assert error.suggestions, error
    for way in error.suggestions:
        assert (left := refused(design, {**settings, **way})) is None, (str(error), way, str(left))
    for near in error.nearest:
        assert refused(design, {**settings, error.knob: near}) is None, (str(error), near)


def test_a_refusal_writes_what_it_suggests() -> None:
    settings = {"max_seq_len": 448, "embed_dim": 64}
    error = refused(family("bert").design("BERT-base"), settings)
    assert error
    assert error.suggestions[0] == {"embed_dim": 192, "max_seq_len": 512}
    assert "the nearest that works is embed_dim=192 and max_seq_len=512, or " in str(error)
    error = refused(family("hybrid").design(), {"stages": "Columns() Conv()"})
    assert error
    for way in error.suggestions:
        assert all(f"{name}={as_text(value)}" in str(error) for name, value in way.items())


@pytest.mark.parametrize("name", ["stages.9.width", "stages.1.num_heads", "foo", "stages.x", ""])
def test_a_name_that_no_knob_has_is_answered_with_names(name: str) -> None:
    error = refused(family("hybrid").design(), {name: 3})
    assert error
    assert error.suggestions == ()
    assert "its knobs are " in str(error) or "did you mean " in str(error)
    assert is_one_sentence(error)


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("hybrid", "image_size", "stem.image_size"),
        ("recurrent", "hidden_dim", "hidden_size"),
        ("yolo", "depth_multiple", "depth_mult"),
        ("vit", "mlp_din", "mlp_dim"),
        ("hybrid", "stage", "stages"),
    ],
)
def test_a_name_like_that_of_a_knob_is_asked_about(key: str, typed: str, meant: str) -> None:
    error = refused(family(key).design(), {typed: 3})
    assert str(error) == f"{key} has no knob {typed}; did you mean {meant}?"


def test_a_knob_that_does_not_exist_is_said_before_any_value() -> None:
    asked = {"depth": 99, "hidden": 3, "num_heads": 7}
    said = {
        str(refused(family("vit").design(), {name: asked[name] for name in names}))
        for names in permutations(asked)
    }
    assert len(said) == 1
    assert "vit has no knob hidden; " in said.pop()


@pytest.mark.parametrize("name", ["stages", "stages.0", "head", "stem"])
@pytest.mark.parametrize("kind", ["Foo", "Conv2", "TokenHead"])
def test_of_an_unknown_kind_a_few_are_offered_each_once(name: str, kind: str) -> None:
    error = refused(family("hybrid").design(), {name: f"{kind}()"})
    assert error
    assert 1 <= len(error.suggestions) <= 3
    assert len({str(way) for way in error.suggestions}) == len(error.suggestions)
    assert is_one_sentence(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    ("key", "settings", "offered"),
    [
        ("llama", {"mlp_dim": 10**7}, "mlp_dim=2304"),
        ("vit", {"mlp_dim": 10**7}, "mlp_dim=6144"),
        ("vit", {"mlp_dim": 10**30}, "6144"),
        ("vit", {"patch_size": 17, "num_heads": 7}, "patch_size=16"),
        ("recurrent", {"cell": "GRU2", "hidden_size": -1}, "cell=GRU"),
        ("gpt", {"max_seq_len": 77}, "seq_len=77"),
        ("resnet", {"image_size": 32}, "image_size=33"),
        ("hybrid", {"stem": "Conv()"}, "stem=ConvStem()"),
    ],
)
def test_what_is_offered_is_the_nearest(key: str, settings: dict[str, Any], offered: str) -> None:
    assert f"{offered} " in f"{str(refused(family(key).design(), settings)).replace(',', '')} "


@pytest.mark.parametrize("each", families().values(), ids=str)
def test_a_size_that_is_too_large_or_small_is_offered_the_limit_of_its_width(each: Any) -> None:
    design = each.design()
    for ratio in [knob for knob in each.knobs.values() if knob.size]:
        for size in (0, 10**7):
            error = refused(design, {ratio.size: size})
            assert error
            step = design.family.knob(design.config, ratio.size).step or 1
            limit = design.value(ratio.of) * ((ratio.le or 1) if size else (ratio.ge or 0))
            offered = [way[ratio.size] for way in error.suggestions if ratio.size in way]
            assert abs(offered[0] - limit) < step, str(error)


def test_knobs_are_applied_together_in_any_order() -> None:
    hybrid = family("hybrid")
    together = {"stages.3.num_heads": 72, "stages.3.width": 216, "head.hidden_dim": 64}
    for names in (list(together), list(reversed(together))):
        design = hybrid.design("CoAtNet-1", **{name: together[name] for name in names})
        assert {name: design.value(name) for name in together} == together
    rows = {"stages.1.depth": 3, "stages": "Conv() Conv(width=8)", "stages.0": "Pool()"}
    for names in (list(rows), list(reversed(rows))):
        design = hybrid.design(head="PooledHead()", **{name: rows[name] for name in names})
        assert hybrid.knobs["stages"].text(design.config.stages) == "Pool() Conv(depth=3, width=8)"


@pytest.mark.parametrize("each", families().values(), ids=str)
def test_a_refused_turn_suggests_what_works(each: Any) -> None:
    design = each.design()
    for name in design.knobs:
        for value in ("abc", -(10**9), 10**9):
            turned = attempt(lambda n=name, v=value: each.snap(design.config, n, v))
            if isinstance(turned, DesignError):
                assert turned.suggestions
                for way in turned.suggestions:
                    design.replace(**{name: value, **way})
