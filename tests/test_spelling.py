"""A name that there is not is answered with the closest three, and with how many there are."""

from __future__ import annotations

import re

import pytest

from studio.family import DesignError
from studio.records import RecordKnob
from studio.spelling import MOST, closest, closest_first, offered
from studio.zoo import families, family

NAMES = tuple(families())


def refused(name: str, make: object) -> str:
    with pytest.raises(DesignError) as error:
        make(name)  # type: ignore[operator]
    return str(error.value)


@pytest.mark.parametrize("key", NAMES)
def test_a_slip_in_a_name_is_answered_with_the_name(key: str) -> None:
    slip = f"{key}x"
    assert key in closest(slip.upper(), NAMES)
    told = refused(slip, family)
    assert key in told
    assert f"of the {len(NAMES)} families" in told
    assert set(closest_first(slip, NAMES)) == set(NAMES)
    for preset in family(key).presets:
        told = refused(f"{preset.name}x", family(key).preset)
        assert preset.name in told


@pytest.mark.parametrize("asked", ["zzz", "", "0" * 300, "nosuch"])
def test_no_list_is_longer_than_three_names(asked: str) -> None:
    told = refused(asked, family)
    assert f"{len(NAMES)} families" in told
    assert sum(bool(re.search(rf"\b{name}\b", told)) for name in NAMES) == MOST
    for one in families().values():
        told = refused(f"?{asked}", one.preset)
        names, many = [preset.name for preset in one.presets], len(one.presets)
        few = f"there are {many} presets, such as {', '.join(names[:MOST])}"
        assert told.endswith(few if many > MOST else f"the presets are {', '.join(names)}")


def test_a_few_names_are_all_told() -> None:
    assert offered("zzz", ("A", "B"), "modes") == "the modes are A, B"
    assert offered(3, ("A", "B", "C", "D"), "modes") == "there are 4 modes, such as A, B, C"


KINDS = [option.__name__ for option in family("hybrid").knobs["stages"].options]


@pytest.mark.parametrize("written", ["{}", "{}()", "Conv() {}", "Conv() {}()"])
def test_only_a_kind_that_there_is_is_advised(written: str) -> None:
    """With brackets or without: what is called nothing is not to be written with brackets."""
    knob = family("hybrid").knobs["stages"]
    assert isinstance(knob, RecordKnob)
    for name in ("AAAA", "Transformr", "Cnv", "Conv"):
        text = written.format(name)
        if text.endswith("Conv()"):
            continue
        told = refused(text, knob.read)
        advised = re.findall(r"(?:nearest is|write|closest (?:is|are)|such as) (\w+)", told)
        assert advised, told
        assert set(advised) <= set(KINDS), told
    assert "Transformer" in refused(written.format("Transformr"), knob.read)
