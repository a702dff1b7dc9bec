"""Quantities that people type: their units are understood or refused, never dropped."""

from __future__ import annotations

import re

import pytest

from studio.analysis import quantities
from studio.analysis.quantities import COUNT, MACS, MEMORY, PARAMETERS, Quantity

ALL = (PARAMETERS, MACS, MEMORY, COUNT)


@pytest.mark.parametrize(
    ("quantity", "text", "number"),
    [
        *((quantity, "5e6", 5_000_000) for quantity in ALL),
        *((quantity, " +5 M ", 5_000_000) for quantity in ALL),
        *((quantity, "5,000,000", 5_000_000) for quantity in ALL),
        (PARAMETERS, "7B", 7_000_000_000),
        (PARAMETERS, "1.5 M parameters", 1_500_000),
        (MACS, "4.1 GMACs", 4_100_000_000),
        (MACS, "2t", 2 * 10**12),
        (MEMORY, "300 MB", 300_000_000),
        (MEMORY, "8G", 8 * 10**9),
        (MEMORY, "8GiB", 8 * 2**30),
        (MEMORY, "4096 bytes", 4096),
        (COUNT, "12", 12),
    ],
)
def test_units_are_understood(quantity: Quantity, text: str, number: int) -> None:
    assert quantity.read(text) == number


@pytest.mark.parametrize("quantity", ALL, ids=[quantity.name for quantity in ALL])
@pytest.mark.parametrize("text", ["", "many", "-3", "5 X", "1..2", "0x10", "9" * 50, "1,5M", "inf"])
def test_what_is_no_number_is_refused_with_one_that_is(quantity: Quantity, text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid .*; use a positive number") as refusal:
        quantity.read(text)
    for example in str(refusal.value).rpartition("such as ")[2].split(" or "):
        assert quantity.read(example) > 0


@pytest.mark.parametrize(
    ("quantity", "text", "offers"),
    [
        *((quantity, "5MB", ["5M"]) for quantity in (PARAMETERS, MACS, COUNT)),
        (PARAMETERS, "2.5 GiB", ["2.5G"]),
        (PARAMETERS, "2", ["2M"]),
        (PARAMETERS, "5 parameters", ["5M"]),
        (MACS, "4", ["4M", "4G"]),
        (MEMORY, "16", ["16MB", "16GB"]),
        (MEMORY, "8B", ["8MB", "8GB"]),
    ],
)
def test_what_was_meant_is_asked_and_works(
    quantity: Quantity, text: str, offers: list[str]
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"did you mean {' or '.join(offers)}?")):
        quantity.read(text)
    assert all(quantity.read(offer) >= 1000 for offer in offers)


@pytest.mark.parametrize("quantity", ALL, ids=[quantity.name for quantity in ALL])
@pytest.mark.parametrize("unit", ["ms", "px", "%", "GFLOPs", "kb/s", "Mbit", "epochs"])
def test_a_unit_of_something_else_is_refused(quantity: Quantity, unit: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid|is in FLOPs"):
        quantity.read(f"8{unit}")


@pytest.mark.parametrize(("text", "number"), [("224", 224), ("+6", 6), ("-3", -3), ("1e3", 1000)])
def test_whole_numbers(text: str, number: int) -> None:
    assert quantities.whole(text) == number


@pytest.mark.parametrize(
    ("text", "advice"),
    [("32k", "32000 or 32768"), ("224px", "224"), ("10%", "0.1"), ("2.5M", "2500000 or 2621440")],
)
def test_a_plain_number_has_no_unit(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"has a unit; write {advice}")):
        quantities.whole(text)


@pytest.mark.parametrize("text", ["7.5", "two", "", "1e99", "inf", "nan"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        quantities.whole(text)


def test_durations_are_read_with_their_unit() -> None:
    assert [quantities.duration(t) for t in ("20 ms", "0.5s", "300 µs")] == [0.02, 0.5, 300e-6]
    assert [quantities.duration(t, "ms") for t in ("20", "0.5s")] == [0.02, 0.5]
    for text in ("20", "0 ms", "soon", "1 h", "-5 ms", "9e99 s" * 9):
        with pytest.raises(ValueError, match="is not a valid time"):
            quantities.duration(text)
