"""Three digits and a unit."""

from __future__ import annotations

import pytest

from studio.analysis import units


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1.00 k"),
        (12_345, "12.3 k"),
        (999_600, "1.00 M"),
        (86_567_656, "86.6 M"),
        (1_571_000_000_000, "1.57 T"),
        (174_604_259_328, "175 B"),
    ],
)
def test_counts(number: int, text: str) -> None:
    assert units.count(number) == text


def test_quantities() -> None:
    assert units.macs(17_563_828_224) == "17.6 GMACs"
    assert units.macs(5_060) == "5.06 kMACs"
    assert units.size(346_270_624) == "346 MB"
    assert units.size(14_587e12) == "14.6 PB"
    assert units.size(2e18) == "2.00 EB"
    assert units.size(12) == "12 B"
    assert units.seconds(0.00812) == "8.12 ms"
    assert units.seconds(2.5e-5) == "25.0 µs"
    assert units.shape((1, 197, 768)) == "1 × 197 × 768"


@pytest.mark.parametrize(
    ("text", "number"),
    [("5e6", 5_000_000), ("5 M", 5_000_000), ("300 MB", 3 * 10**8), ("4.1 GMACs", 4_100_000_000)],
)
def test_amounts_are_read_as_people_write_them(text: str, number: int) -> None:
    assert units.amount(text) == number


@pytest.mark.parametrize("text", ["", "many", "-3", "5 X", "1..2", "0x10", "9" * 50])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number such as"):
        units.amount(text)


def test_durations_are_read_with_their_unit() -> None:
    assert [units.duration(text) for text in ("20 ms", "0.5s", "300 µs")] == [0.02, 0.5, 300e-6]
    for text in ("20", "0 ms", "soon", "1 h"):
        with pytest.raises(ValueError, match="is no time such as"):
            units.duration(text)
