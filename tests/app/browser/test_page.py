"""What the page offers around its views, in a real browser: name, link, keys, and the report."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.conftest import slider

pytestmark = pytest.mark.browser

TINY = "?family=vit&preset=ViT-Ti/16"


def has_depth(page: Any, depth: int) -> None:
    from playwright.sync_api import expect

    expect(slider(page, "vit.depth")).to_have_value(str(depth), timeout=60_000)


def test_the_page_says_what_it_is(open_page: Any, address: str) -> None:
    for view in ("Explore", "Compare"):
        page = open_page(address + f"{TINY}&view={view}")
        page.get_by_role("heading", name="Neural architecture studio", level=1).wait_for()
        page.get_by_text("see the real PyTorch model rebuilt").wait_for()


def test_a_family_is_found_by_its_task(open_page: Any, address: str) -> None:
    page = open_page(address + TINY)
    page.get_by_role("combobox", name="Family").fill("segm")
    page.get_by_role("option", name="U-Net · segmentation").click()
    page.wait_for_url(re.compile("family=unet"))


def test_keys_undo_and_redo_but_not_what_is_typed(open_page: Any, address: str) -> None:
    page = open_page(address + TINY)
    slider(page, "vit.depth").press("ArrowRight")
    page.wait_for_url(re.compile("depth=13"))
    page.get_by_role("button", name="Undo", disabled=False).wait_for()
    slider(page, "vit.depth").press("Control+z")
    has_depth(page, 12)
    page.get_by_role("button", name="Redo", disabled=False).wait_for()
    page.keyboard.press("Control+y")
    has_depth(page, 13)
    page.get_by_role("button", name="Undo", disabled=False).wait_for()
    page.keyboard.press("Meta+z")
    has_depth(page, 12)
    page.get_by_role("button", name="Redo", disabled=False).wait_for()
    page.keyboard.press("Meta+Shift+z")
    has_depth(page, 13)
    page.get_by_role("button", name="Another device").click()
    field = page.get_by_role("textbox").first
    field.fill("12")
    field.press("Control+z")
    page.keyboard.press("Control+a")  # the key before it has been dealt with by now
    has_depth(page, 13)


def test_the_link_of_the_page_is_copied(open_page: Any, address: str) -> None:
    page = open_page(address + TINY + "&depth=5")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    has_depth(page, 5)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(address.rstrip("/"))
    has_depth(open_page(link), 5)


def test_the_report_scrolls_with_the_page(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=cnn&tab=Report")
    frame = page.locator("iframe")
    frame.wait_for()
    page.frame_locator("iframe").get_by_role("heading").first.wait_for()
    root = "document.querySelector('iframe').contentDocument.documentElement"
    page.wait_for_function(
        f"{root}.scrollHeight > 900 && {root}.scrollHeight <= {root}.clientHeight + 1",
        timeout=60_000,
    )
