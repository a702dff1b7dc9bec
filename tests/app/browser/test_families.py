"""Families in Chromium, others with each commit: a page opens, is reshaped, and gives its code."""

from __future__ import annotations

import ast
from typing import Any

import pytest

import studio
from tests.app.conftest import pressed
from tests.commit_sample import commit_sample

pytestmark = pytest.mark.browser


# What is composed of rows is reshaped in a view, and by a test, of its own.
KEYS = [key for key, family in studio.families().items() if not family.is_composed]


@pytest.mark.parametrize("key", commit_sample("families in a browser", KEYS, 8))
def test_a_family_opens_reshapes_and_exports(open_page: Any, address: str, key: str) -> None:
    page = open_page(f"{address}?family={key}&tab=Code")
    page.locator(".node").first.wait_for(state="attached")
    page.locator("[data-test-script-state=notRunning]").wait_for()
    # A detector's or an encoder's default may sit at the end of its slider: then go the other way.
    slider = page.locator(f"[data-knob^='{key}.'] input[type=range]").first
    at_the_end = slider.evaluate("input => input.value === input.max")
    pressed(slider, "ArrowLeft" if at_the_end else "ArrowRight")
    page.get_by_text("The last change rewrote").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download script").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert ast.parse(text)
    assert "assert parameters ==" in text
