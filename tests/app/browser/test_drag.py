"""A slider that is moved: what the page shows under the hand, and after the release."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from tests.app.browser.test_knob_panel import at, at_rest
from tests.app.conftest import slider

pytestmark = pytest.mark.browser

TINY = "?family=vit&preset=ViT-Ti/16"  # embed_dim=192 in 3 heads, in steps of 64 from 64 to 1664
WIDTH = "vit.embed_dim"
REFUSED, REACHED = (320 - 64) / 1600, (576 - 64) / 1600
WHY = "num_heads=3 must divide embed_dim=320, so embed_dim was set to 384"


def colour(page: Any, x: float, y: float) -> Any:
    """Of a point of the screen."""
    clip = {"x": x - 1, "y": y - 1, "width": 2, "height": 2}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))


def note(page: Any, row: str) -> Any:
    """What is read below a slider."""
    return page.locator(f'[data-knob="{row}"] :is(.note, .why):visible')


def test_what_a_slider_cannot_reach_is_grey_and_says_why(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = at_rest(open_page(address + TINY))
    track = slider(page, WIDTH)
    places = [at(page, WIDTH, share) for share in (REFUSED, REACHED)]
    before = [colour(page, *place) for place in places]
    page.mouse.move(*places[0])
    expect(track).to_have_attribute("title", WHY)
    after = [colour(page, *place) for place in places]
    assert after[0] != pytest.approx(before[0], abs=8)
    assert after[1] == pytest.approx(before[1], abs=8)
    page.mouse.move(*places[1])
    expect(track).to_have_attribute("title", "")

    below = slider(page, "vit.num_heads").bounding_box()
    page.mouse.move(*at(page, WIDTH, (192 - 64) / 1600))
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    expect(note(page, WIDTH)).to_have_count(0)
    page.mouse.move(*places[0], steps=3)
    expect(note(page, WIDTH)).to_have_text(f"→ {WHY}")
    expect(track).to_have_attribute("aria-valuetext", "320, cannot be reached")
    assert slider(page, "vit.num_heads").bounding_box() == below  # nothing jumps under the hand
    page.mouse.up()
    page.wait_for_url(re.compile("embed_dim=384"))
    expect(track).to_have_value("384")
    expect(note(page, WIDTH)).to_have_text(f"→ {WHY}")
