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
