"""Colours and differences in the layer graph, in Chromium: a person chooses, and sees them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.conftest import pressed, slider

pytestmark = pytest.mark.browser


def box(page: Any, name: str) -> Any:
    return page.locator(f'.graph [data-id="{name}"]')


def chosen(page: Any, colours: str) -> None:
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name=colours, exact=True).click()


def colour_of(page: Any, name: str) -> str:
    face = box(page, name).locator(".face")
    return str(face.evaluate("element => getComputedStyle(element).fill"))


@pytest.mark.parametrize(
    ("scheme", "hot"), [("light", "(21, 34, 96)"), ("dark", "(247, 252, 217)")]
)
def test_the_hottest_box_stands_out_in_either_theme(
    open_page: Any, address: str, scheme: str, hot: str
) -> None:
    page = open_page(f"{address}?family=vit&preset=ViT-Ti/16", scheme=scheme)
    box(page, "blocks.0").wait_for()
    chosen(page, "Colour by MACs")
    page.locator(".legend .steps").wait_for()
    page.wait_for_url("**heat=macs*")
    told = re.compile(r"^12 × \d+ MMACs · 98 %$")
    box(page, "blocks.0").locator("text", has_text=told).wait_for()
    assert hot in colour_of(page, "blocks.0")
    assert hot not in colour_of(page, "head")


def test_a_design_is_pinned_turned_and_seen_against_itself(open_page: Any, address: str) -> None:
    page = open_page(f"{address}?family=vit&preset=ViT-Ti/16&tab=Layers")
    box(page, "blocks.0").wait_for()
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_text("Difference", exact=True).click()
    page.locator(".legend", has_text="No difference from the pinned").wait_for()
    pressed(slider(page, "vit.depth"), "ArrowLeft")
    page.locator("svg text", has_text="EncoderBlock × 12 → × 11").wait_for()
    page.locator(".legend", has_text="shrank").wait_for()
    assert "shrank: −445 k" in box(page, "blocks.0").get_attribute("aria-label")
    assert "difference=true" in page.url
