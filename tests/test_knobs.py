"""Knobs read what people write, refuse the rest in one sentence, and offer what works."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from studio.knobs import DesignError, Knob, knob, knobs

DEPTH = Knob(name="depth", default=12, help="", ge=1, le=48)
WIDTH = Knob(name="width", default=768, help="", ge=100, le=1700, step=64, multiple=64)
FREE = Knob(name="free", default=768, help="", ge=100, le=1700, step=64)
RATE = Knob(name="rate", default=0.1, help="", ge=0.0, le=0.9, step=0.05)
FLAG = Knob(name="flag", default=True, help="")
PATCH = Knob(name="patch", default=16, help="", options=(4, 8, 14, 16, 32))
NORM = Knob(name="norm", default=nn.ReLU, help="", options=(nn.ReLU, nn.GELU))
DEPTHS = Knob(name="depths", default=(3, 4, 6, 3), help="", ge=1, le=50, lengths=(3, 4))
PLANS = Knob(name="plan", default=(64, 128), help="", options=((64, 128), (32, 64)))
ALL = (DEPTH, WIDTH, RATE, FLAG, PATCH, NORM, DEPTHS, PLANS)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
numbers_as_text = st.integers().map(str) | st.floats().map(str)


def attempt(read: Callable[[], Any]) -> Any:
    """What was read, or the refusal. Any other exception is a failure of the test."""
    try:
        return read()
    except DesignError as refused:
        return refused


@pytest.mark.parametrize(
    ("knob", "given", "value"),
    [
        (DEPTH, "6", 6),
        (DEPTH, 6.0, 6),
        (DEPTH, "6.0", 6),
        (WIDTH, "1664", 1664),
        (RATE, 0, 0.0),
        (RATE, "5e-1", 0.5),
        (RATE, "1/3", 1 / 3),
        (RATE, " 18 / 36 ", 0.5),
        (FREE, 101, 101),
        (FLAG, "off", False),
        (FLAG, "True", True),
        (FLAG, 0, False),
        (PATCH, "14", 14),
        (NORM, "GELU", nn.GELU),
        (NORM, nn.GELU, nn.GELU),
        (DEPTHS, "1,2,3", (1, 2, 3)),
        (DEPTHS, "(1, 2, 3)", (1, 2, 3)),
        (DEPTHS, "[1, 2, 3,]", (1, 2, 3)),
        (DEPTHS, [2, 2, 2, 2], (2, 2, 2, 2)),
        (PLANS, "32,64", (32, 64)),
        (PLANS, [32, 64], (32, 64)),
    ],
)
def test_a_knob_reads_what_people_write(knob: Knob, given: object, value: object) -> None:
    read = knob.read(given)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("knob", "given", "message", "nearest"),
    [
        (DEPTH, -1, "depth=-1 is outside 1 to 48; the nearest that works is 1", (1,)),
        (DEPTH, "1e99", "depth=1e99 is outside 1 to 48; the nearest that works is 48", (48,)),
        (DEPTH, 2.6, "depth=2.6 is not a whole number; the nearest that works is 3", (3,)),
        (DEPTH, "abc", "depth=abc is not a whole number; the nearest that works is 12", (12,)),
        (DEPTH, True, "depth=True is not a whole number; the nearest that works is 12", (12,)),
        (DEPTH, "nan", "depth=nan is not a whole number; the nearest that works is 12", (12,)),
        (WIDTH, 99, "width=99 is outside 100 to 1700; the nearest that works is 128", (128,)),
        (
            WIDTH,
            200,
            "width=200 is not a multiple of 64; the nearest that works is 192 or 256",
            (192, 256),
        ),
        (WIDTH, 9999, "width=9999 is outside 100 to 1700; the nearest that works is 1664", (1664,)),
        (RATE, "1.5", "rate=1.5 is outside 0 to 0.9; the nearest that works is 0.9", (0.9,)),
        (RATE, "1/0", "rate=1/0 is not a number; the nearest that works is 0.1", (0.1,)),
        (RATE, [], "rate=[] is not a number; the nearest that works is 0.1", (0.1,)),
        (
            FLAG,
            "maybe",
            "flag=maybe is neither true nor false; the nearest that works is true or false",
            (True, False),
        ),
        (
            NORM,
            "__import__('os')",
            "norm=__import__('os') is not one of its options; it takes ReLU, GELU",
            (nn.ReLU, nn.GELU),
        ),
        (
            DEPTHS,
            "3,0,6,99",
            "depths=3,0,6,99 holds 0, which is outside 1 to 50; the nearest that works is 3,1,6,50",
            ((3, 1, 6, 50),),
        ),
        (
            DEPTHS,
            "3",
            "depths=3 has 1 entries, not 3 or 4; the nearest that works is 3,4,6,3",
            ((3, 4, 6, 3),),
        ),
    ],
)
def test_a_refusal_names_knob_value_and_the_nearest(
    knob: Knob, given: object, message: str, nearest: tuple[Any, ...]
) -> None:
    with pytest.raises(DesignError) as refused:
        knob.read(given)
    assert str(refused.value) == message
    assert (refused.value.knob, refused.value.value) == (knob.name, given)
    assert refused.value.nearest == nearest


@given(knob=st.sampled_from(ALL), value=json_values | numbers_as_text)
def test_any_value_is_read_or_refused_in_one_line_whose_offers_are_taken(
    knob: Knob, value: object
) -> None:
    read = attempt(lambda: knob.read(value))
    if isinstance(read, DesignError):
        assert str(read).startswith(f"{knob.name}=")
        assert len(str(read).splitlines()) == 1
        assert read.nearest
        assert all(knob.read(offer) == offer for offer in read.nearest)
        assert read.suggestions == tuple({knob.name: offer} for offer in read.nearest)
    else:
        assert knob.read(knob.text(read)) == read
        assert knob.read(knob.write(read)) == read


@given(value=st.floats(0.0, 0.9), top=st.integers(1, 70000), bottom=st.integers(1, 70000))
def test_a_fraction_is_typed_back_as_it_is_printed(value: float, top: int, bottom: int) -> None:
    for number in (value, min(top / bottom, 0.9)):
        assert RATE.read(RATE.label(number)) == number
        assert RATE.read(RATE.text(number)) == number
    assert [RATE.text(number) for number in (0.05, 2 / 3, 0.9)] == ["0.05", "2/3", "0.9"]


@pytest.mark.parametrize("each", ALL, ids=lambda knob: knob.name)
def test_monsters_are_refused_in_a_short_line(each: Knob) -> None:
    for value in (10**5000, -(10**5000), math.inf, "9" * 5000, object()):
        with pytest.raises(DesignError) as refused:
            each.read(value)
        assert len(str(refused.value)) < 200


@given(value=st.integers(-5000, 5000))
def test_clamp_gives_the_nearest_number_of_range_and_step(value: int) -> None:
    allowed = [v for v in range(100, 1701) if v % 64 == 0]
    least = min(abs(v - value) for v in allowed)
    assert WIDTH.clamp(value) in allowed
    assert abs(WIDTH.clamp(value) - value) == least


@given(value=st.integers(0, 2000))
def test_near_gives_every_other_value_the_nearest_first(value: int) -> None:
    near = list(WIDTH.near(value))
    distance = [abs(v - value) for v in near]
    assert set(near) == {v for v in range(100, 1701) if v % 64 == 0} - {value}
    assert len(near) == len(set(near))
    assert distance == sorted(distance)


def test_near_choices_are_the_other_choices() -> None:
    assert list(PATCH.near(14))[:2] in ([8, 16], [16, 8])
    assert set(PATCH.near(14)) == {4, 8, 16, 32}
    assert list(FLAG.near(True)) == [False]
    assert list(islice(DEPTH.near(48), 2)) == [47, 46]


def test_the_knobs_of_a_config_stand_in_its_order() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Config:
        depth: int = knob(2, "Layers", axis="depth", ge=1, le=4)
        norm: type[nn.Module] = knob(nn.ReLU, "Which", options=(nn.ReLU, nn.GELU))

    assert list(knobs(Config)) == ["depth", "norm"]
    assert knobs(Config)["depth"].help == "Layers"
    assert Config().depth == 2
