"""Knobs that hold knobs: read, written, turned by their paths, and refused with their place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from torch import nn

from studio.knobs import DesignError, knob, knobs
from studio.records import (
    RecordKnob,
    all_knobs,
    records,
    value_of,
    with_values,
    with_values_unchecked,
)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    size: int = knob(3, "Size", ge=1, le=9)
    taps: tuple[int, ...] = knob((1, 2), "Taps", ge=1, le=9, lengths=(1, 2, 3))
    activation: type[nn.Module] = knob(nn.ReLU, "Activation", options=(nn.ReLU, nn.GELU))

    def __post_init__(self) -> None:
        if self.size % 2 == 0:
            raise ValueError(f"size={self.size} must be odd")


@dataclass(frozen=True, kw_only=True)
class Bare:
    pass


@dataclass(frozen=True, kw_only=True)
class Config:
    first: Bare | Kernel = records(Kernel(), "The first", options=(Bare, Kernel))
    rest: tuple[Bare | Kernel, ...] = records(
        (Bare(),), "The others", options=(Bare, Kernel), lengths=range(1, 4)
    )
    width: int = knob(8, "Width", ge=1, le=64)

    def __post_init__(self) -> None:
        if len(self.rest) > self.width:
            raise ValueError(f"width={self.width} is less than the rows")


FIRST, REST = knobs(Config)["first"], knobs(Config)["rest"]
MANY = (Kernel(size=5, taps=(4, 5, 6), activation=nn.GELU), Bare(), Kernel())


def test_records_are_read_from_texts_json_classes_and_python_alike() -> None:
    text = "Kernel(size=5, taps=4,5,6, activation=GELU) Bare() Kernel()"
    written = [
        {"kind": "Kernel", "size": "5", "taps": [4, 5, 6], "activation": "GELU"},
        {"kind": "Bare"},
        Kernel,
    ]
    assert REST.read(text.replace("4,5,6", "(4, 5, 6)")) == MANY  # as Python writes it
    assert REST.read(text) == REST.read(written) == REST.read(MANY) == MANY
    assert FIRST.read("Kernel(size=7)") == FIRST.read(Kernel(size=7)) == Kernel(size=7)


def test_knobs_of_one_record_are_set_at_once_in_any_order() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Pair:
        low: int = knob(1, "Low", ge=0, le=9)
        high: int = knob(2, "High", ge=0, le=9)

        def __post_init__(self) -> None:
            if self.low >= self.high:
                raise ValueError(f"low={self.low} must be below high={self.high}")

    @dataclass(frozen=True, kw_only=True)
    class Pairs:
        pairs: tuple[Pair, ...] = records((Pair(), Pair()), "Pairs", options=(Pair,))

    settings = {"pairs.1.low": 5, "pairs.1.high": 7, "pairs.0.high": 9, "pairs.0.low": 8}
    for order in permutations(settings.items()):
        found = with_values(Pairs(), dict(order))
        assert found == Pairs(pairs=(Pair(low=8, high=9), Pair(low=5, high=7)))


def test_what_is_written_is_read_back() -> None:
    assert REST.text(MANY) == "Kernel(size=5, taps=4,5,6, activation=GELU) Bare() Kernel()"
    assert REST.write(MANY)[1:] == [
        {"kind": "Bare"},
        {"kind": "Kernel", "size": 3, "taps": [1, 2], "activation": "ReLU"},
    ]
    for form in (REST.text, REST.write):
        assert REST.read(form(MANY)) == MANY
    for form in (FIRST.text, FIRST.write):
        assert FIRST.read(form(MANY[0])) == MANY[0]


def test_an_option_is_a_class_and_written_by_its_name() -> None:
    assert [REST.write(kind) for kind in REST.options] == ["Bare", "Kernel"]
    assert [FIRST.text(kind) for kind in FIRST.options] == ["Bare", "Kernel"]


def test_knobs_within_are_named_by_their_paths() -> None:
    config = Config(rest=(Bare(), Kernel(size=9)))
    inner = [name for name in all_knobs(config) if "." in name]
    assert inner == [f"{place}.{n}" for place in ("first", "rest.1") for n in knobs(Kernel)]
    assert value_of(config, "rest.1.size") == 9
    turned = with_values(config, {"rest.1.size": 5, "first.activation": nn.GELU, "width": 2})
    assert turned == Config(
        first=Kernel(activation=nn.GELU), rest=(Bare(), Kernel(size=5)), width=2
    )
    assert config.width == 8
    anew = with_values(config, {"rest": (Kernel(), Bare()), "rest.0.size": 1})
    assert anew.rest == (Kernel(size=1), Bare())


def test_a_broken_rule_tells_its_place() -> None:
    with pytest.raises(ValueError, match=r"^rest\.1: size=4 must be odd$"):
        with_values(Config(rest=(Bare(), Kernel())), {"rest.1.size": 4})
    with pytest.raises(ValueError, match=r"^first: size=4 must be odd$"):
        with_values(Config(), {"first.size": 4})


def test_a_config_as_asked_need_not_keep_its_rules() -> None:
    asked = with_values_unchecked(Config(), {"width": 1, "rest": MANY, "rest.0.size": 7})
    assert (asked.width, asked.rest[0].size, len(asked.rest)) == (1, 7, 3)
    with pytest.raises(ValueError, match="width=1"):
        with_values(Config(), {"width": 1, "rest": MANY})


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        ("Kernel(size=4)", "rest.0", r"rest\.0: size=4 must be odd"),
        ("Bare() Kernel(size=99)", "rest.1.size", r"rest\.1\.size=99 .* nearest that works is 9"),
        ("Bare() Other()", "rest.1", r"rest\.1='Other' is not one of its kinds; .* Bare, Kernel"),
        ("Bare() Kernal()", "rest.1", r"rest\.1='Kernal' is not one of .*; the nearest is Kernel$"),
        (
            "Kernel(depth=2)",
            "rest.0",
            r"rest\.0='depth' is not a knob of Kernel; its knobs are size",
        ),
        (
            "Kernel(szie=3)",
            "rest.0",
            r"rest\.0='szie' is not a knob of Kernel; the nearest is size$",
        ),
        ("Bare() " * 4, "rest", r"^rest has 4 entries, not 1 to 3$"),
        ("", "rest", r"^rest has 0 entries, not 1 to 3$"),
        (
            "Kernel() Bare",
            "rest.1",
            r"^rest\.1: Bare \(character 10\) has no brackets .* Bare\(\)$",
        ),
        (
            "Bare() Kernel(size=3",
            "rest.1",
            r"the bracket after Kernel \(character 14\) is not closed",
        ),
        (
            "Kernel(size=3 Bare()",
            "rest.0",
            r"the bracket after Kernel \(character 7\) is not closed",
        ),
        ("Bare()) Bare()", "rest.1", r"^rest\.1: \) \(character 7\) is not the name of a kind$"),
        ("Kernel(size=3 taps=1)", "rest.0", r"'size=3 taps=1' lacks a comma before taps$"),
        ("Kernel(size=3, size=5)", "rest.0", r"^rest\.0: size is set twice$"),
        ("Kernel(5)", "rest.0", r"^rest\.0: '5' is no name=value$"),
        ("Kernel(size==5)", "rest.0", r"^rest\.0: 'size==5' is no name=value$"),
        (7, "rest", r"rest=7 is not a list of records"),
        ([7], "rest.0", r"rest\.0=7 is not a record"),
        ([{"size": 3}], "rest.0", r"is not a record"),
        ([nn.ReLU], "rest.0", r"rest\.0='ReLU' is not one of its kinds"),
        ((Kernel(size=11),), "rest.0.size", r"rest\.0\.size=11 is outside 1 to 9"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(given: Any, place: str, said: str) -> None:
    with pytest.raises(DesignError, match=said) as caught:
        REST.read(given)
    assert caught.value.knob == place


def test_one_record_is_one() -> None:
    with pytest.raises(DesignError, match=r"^first has 2 entries, not 1$"):
        FIRST.read("Bare() Bare()")
    assert isinstance(FIRST, RecordKnob)


def test_near_a_record_are_those_of_the_other_kinds() -> None:
    assert list(FIRST.near(Bare())) == [Kernel()]
    assert list(REST.near(MANY)) == []


def test_a_comma_may_follow_the_last_setting() -> None:
    assert REST.read("Kernel(size=5,), Bare(),") == (Kernel(size=5), Bare())
