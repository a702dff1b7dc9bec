"""JSON from outside: what is read, and where what is not read is at fault."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import zoo
from studio.knobs import DesignError
from studio.serialization.strict_json import DEEPEST, LARGEST, parse

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
).filter(lambda value: "Infinity" not in json.dumps(value))
DESIGN = '{"family": "vit", "config": {"depth": 6}}'
MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}


def refusal(data: str | bytes) -> str:
    with pytest.raises(DesignError) as refused:
        zoo.read_design(data)
    return str(refused.value)


@settings(max_examples=50)
@given(values, st.sampled_from([None, 2]))
def test_what_is_json_is_read_as_json_reads_it(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert parse(text) == parse(text.encode()) == json.loads(text)


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize("marked", [True, False])
def test_a_byte_order_mark_is_read(encoding: str, marked: bool) -> None:
    data = MARKED[encoding] * marked + DESIGN.encode(encoding)
    assert zoo.design_from_json(data).value("depth") == 6
    assert zoo.design_from_json("\ufeff" * marked + DESIGN).value("depth") == 6


@settings(max_examples=100)
@given(st.integers(0, len(DESIGN) - 1), st.sampled_from("]}:,x\\\n"), st.integers(0, 3))
def test_a_syntax_error_has_its_line_and_column(at: int, slip: str, lines: int) -> None:
    text = "\n" * lines + DESIGN[:at] + slip + DESIGN[at:]
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}: not valid JSON ("
        assert refusal(text).startswith(place)
        assert refusal("\ufeff" + text).startswith(place)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"family": "vit", "family": "unet", "config": {}}', "family"),
        ('{"family": "vit", "config": {"depth": 6, "num_heads": 12, "depth": 7}}', "depth"),
        ('{"family": "hybrid", "config": {"stages": [{"kind": "Conv", "kind": "Pool"}]}}', "kind"),
        ('{"family": "vit", "config": {}, "\\u0063onfig": {}}', "config"),
    ],
)
def test_a_key_that_appears_twice_is_refused(text: str, key: str) -> None:
    assert refusal(text) == f"the key '{key}' appears twice in one object"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "line 1, column 1: not valid JSON (it is empty)"),
        (b"", "line 1, column 1: not valid JSON (it is empty)"),
        (b"\x80abc", "it is not text"),
        ("[" * (DEEPEST + 1), "nested more than 20 levels deep"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 20 levels deep"),
        (b" " * (LARGEST + 1), "larger than 1,048,576 bytes"),
        (
            '{"family": "vit", "config": {"depth": ' + "1" * 5000 + "}}",
            "a number in it is too long",
        ),
        ('{"family": "vit", "config": {"depth": NaN}}', "NaN is not valid JSON"),
        ('{"family": "vit", "config": {"depth": -Infinity}}', "-Infinity is not valid JSON"),
        ("[]", 'a design file holds {"family": ..., "config": {...}}, not a list'),
        ("null", "not null"),
        ("3", "not a number"),
        ("true", "not true or false"),
        ('"vit"', "not a string"),
        ('{"config": {}}', "; family missing"),
        ("{}", "; family and config missing"),
        ('{"family": "vit", "config": [1]}', "; config is a list"),
    ],
)
def test_what_is_no_design_file_is_one_sentence(data: str | bytes, said: str) -> None:
    sentence = refusal(data)
    assert said in sentence
    assert sentence.isprintable()


def test_brackets_in_texts_are_no_depth() -> None:
    assert parse(json.dumps(["[" * 100, '\\"[[' * 50])) == ["[" * 100, '\\"[[' * 50]


@pytest.mark.parametrize("word", ["gpt2", "llama", "bert", "t5", "vit", "resnet", "convnext"])
def test_a_hugging_face_config_is_told_its_family(word: str) -> None:
    sentence = refusal(json.dumps({"model_type": word, "hidden_size": 768, "architectures": ["X"]}))
    found = re.fullmatch(
        rf"this is a Hugging Face config.json of '{word}', not a design file; start from the"
        r" family (\w+) and set its knobs",
        sentence,
    )
    assert found
    assert found[1] in zoo.families()


@pytest.mark.parametrize("name", zoo.ALIKE)
def test_each_name_of_another_library_is_of_a_family(name: str) -> None:
    key = "_class_name" if name.endswith(("model", "kl")) else "model_type"
    assert f"start from the family {zoo.ALIKE[name]} " in refusal(json.dumps({key: name}))
    assert zoo.ALIKE[name] in zoo.families()


@pytest.mark.parametrize(
    ("model", "key"), [("resnet50", "resnet"), ("vit_base_patch16_224", "vit")]
)
def test_a_timm_config_is_told_its_family(model: str, key: str) -> None:
    sentence = refusal(json.dumps({"architecture": model, "num_classes": 1000}))
    assert sentence == (
        f"this is a timm config.json of '{model}', not a design file; start from the family {key}"
        " and set its knobs"
    )


def test_an_unknown_key_of_a_design_file_is_refused() -> None:
    data = {"family": "vit", "prest": "ViT-L/16", "config": {}}
    assert refusal(json.dumps(data)) == ("a design file has no key 'prest'; did you mean preset?")
    data = {"family": "vit", "x" * 100: 1, "config": {}}
    assert "its keys are family, preset, config" in refusal(json.dumps(data))


@pytest.mark.parametrize("config", [{"model_type": "mamba"}, {"architectures": ["Mamba"]}])
def test_a_config_of_a_family_that_there_is_not(config: dict[str, object]) -> None:
    sentence = refusal(json.dumps(config))
    assert "this is a Hugging Face config.json" in sentence
    assert "the family that is nearest to it" in sentence


def test_a_composition_that_was_changed_says_what_was_inserted() -> None:
    design = zoo.family("hybrid").design("R50+ViT-B/16")
    assert zoo.read_design(design.to_json()) == zoo.AdaptedDesign(design)
    given = {"stem": "ConvStem()", "stages": "Transformer()", "head": "PooledHead()"}
    made = zoo.read_design(json.dumps({"family": "hybrid", "config": given}))
    assert made.note == (
        "stages did not fit as given; inserted ToTokens() as stages.0, ToMap() as stages.2"
    )
    assert [type(row).__name__ for row in made.design.value("stages")] == [
        *("ToTokens", "Transformer", "ToMap"),
    ]
    # what was inserted stands where it is said to stand, and then nothing more is
    assert zoo.read_design(made.design.to_json()) == zoo.AdaptedDesign(made.design)
