from __future__ import annotations

import os

import pytest

from studio.measure.memory import admit, available_bytes
from studio.measure.request import MeasureError


def test_some_memory_is_available_and_no_more_than_there_is():
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < available_bytes() <= installed


def test_what_fits_is_admitted():
    admit(1_000_000, "LeNet-5")


def test_what_does_not_fit_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("studio.measure.memory.available_bytes", lambda: 5 * 10**9)
    admit(2_800_000_000, "what needs 4.96 GB")
    with pytest.raises(MeasureError, match=r"ViT-H/14 needs about 5.3 GB .* 5.0 GB is free"):
        admit(3_000_000_000, "ViT-H/14")
