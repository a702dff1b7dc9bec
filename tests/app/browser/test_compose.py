"""A network composed on the page: built from nothing, broken, mended, swept, taken home and run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.workbench.compose import composition
from studio.zoo.hybrid import FAMILY
from tests.app.browser.test_browser import chart_has, figure, has_text, open_tab
from tests.app.conftest import pressed, slider, switch

pytestmark = pytest.mark.browser


def choose(page: Any, key: str, option: str) -> None:
    page.locator(f".st-key-{key} input").click()
    page.locator(f".st-key-{key} input").press_sequentially(option)  # of many, few are drawn
    page.get_by_role("option", name=option, exact=True).click()


def press(page: Any, key: str) -> None:
    page.locator(f".st-key-{key} button:visible").click()


def add(page: Any, place: str, kind: str) -> None:
    """A row of this kind after the one at a place, from the menu of kinds."""
    press(page, f"add-{place}")
    press(page, f"add-{place}-{kind}")


def test_a_composition_from_nothing_to_a_script(
    open_page: Any, address: str, tmp_path: Path
) -> None:
    page = open_page(address + "?view=Compose&family=vit")
    press(page, "start-hybrid")
    has_text(figure(page, "Parameters"), "104 k")
    press(page, "stage-stem")
    page.locator(".node.selected", has_text="stem").wait_for()  # the page has drawn the open row
    pressed(slider(page, "hybrid.ConvStem.stem.image_size"), "Home")
    page.locator("svg text", has_text="(1, 3, 8, 8)").first.wait_for()
    press(page, "stage-stages-0")
    add(page, "stages-0", "Residual")
    page.locator(".st-key-kind-stages-1-Residual").wait_for()
    add(page, "stages-1", "Transformer")
    page.locator(".st-key-stage-stages-2", has_text="ToTokens").wait_for()
    page.locator(".st-key-stage-stages-4", has_text="ToMap").wait_for()

    press(page, "stage-stages-2")
    switch(page, "hybrid.ToTokens.stages.2.class_token").click()
    page.get_by_text("the pixels of a map").first.wait_for()
    page.locator(".node.fault", has_text="does not fit").wait_for()
    broken = open_page(page.url)
    broken.locator(".node.fault").wait_for()
    page.get_by_role("button", name="2 ToTokens: class_token = false").click()
    page.locator(".node.fault").wait_for(state="detached")

    page.get_by_role("radio", name="Explore").click()
    page.locator(".js-plotly-plot .points path").first.wait_for(state="attached")
    has_text(figure(page, "Latency"), re.compile(r"\d"))  # the page is at rest
    page.locator("[data-test-script-state=notRunning]").wait_for()
    choose(page, "hybrid-axis", "0 Conv · depth")
    page.get_by_role("button", name="Benchmark this axis").click()
    chart_has(page, "data.at(-1).x.length >= 3", seconds=120)
    open_tab(page, "Code")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download script").click()
    script = tmp_path / "design.py"
    download.value.save_as(script)
    ran = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "parameters" in ran.stdout
    page.get_by_role("radio", name="Compose").click()
    page.locator(".st-key-stage-stages-3", has_text="Transformer").wait_for()


def test_the_back_button_mends_what_a_press_broke(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    query = "?view=Compose&family=hybrid&stages=Conv()+ToTokens()+ToMap()&head=PooledHead()"
    page = open_page(address + query + "&place=stages.1")
    switch(page, "hybrid.ToTokens.stages.1.class_token").click()
    page.locator(".node.fault").wait_for()
    page.wait_for_url("**draft=**")
    page.go_back()
    page.locator(".node.fault").wait_for(state="detached")
    token = switch(page, "hybrid.ToTokens.stages.1.class_token")
    expect(token).not_to_be_checked()


KINDS = len(composition.kinds(FAMILY, "stages"))
IN_SIGHT = """entries => entries.filter(entry => {
    const { left, top, bottom } = entry.getBoundingClientRect();
    const there = document.elementFromPoint(left + 8, (top + bottom) / 2);
    return bottom <= innerHeight && entry.contains(there);
}).length"""


def test_menus_open_where_there_is_room(open_page: Any, address: str) -> None:
    """On a laptop's screen every entry is in sight, wherever the button stands."""
    page = open_page(address + "?view=Compose&family=hybrid&place=stages.3", 1366, 768)
    page.locator(".node.selected").wait_for()
    for button, entries, count in (
        ("add-stages-3", "[class*=st-key-add-stages-3-] button:visible", KINDS),
        ("downloads", "[class*=st-key-downloads-] button:visible", 4),
    ):
        page.locator(f".st-key-{button} button").scroll_into_view_if_needed()
        press(page, button)
        shown = page.locator(entries)
        shown.nth(count - 1).wait_for()
        assert shown.count() == count
        assert shown.evaluate_all(IN_SIGHT) == count
        page.keyboard.press("Escape")
