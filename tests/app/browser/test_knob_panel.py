"""The knob panel in a browser: by mouse, keyboard, finger and typing, light, dark and narrow."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.browser.test_browser import figure, has_text
from tests.app.conftest import pressed, slider

pytestmark = pytest.mark.browser

TINY = "?family=vit&preset=ViT-Ti/16"
PHONE = (420, 860)


def number(page: Any, row: str) -> Any:
    return page.locator(f'[data-knob="{row}"] input[type=number]')


def at(page: Any, row: str, share: float) -> tuple[float, float]:
    """A place on the track of a slider, from its left end (0) to its right end (1)."""
    box = slider(page, row).bounding_box()
    thumb = 15
    return box["x"] + thumb / 2 + (box["width"] - thumb) * share, box["y"] + box["height"] / 2


def overlay(page: Any) -> None:
    """On a narrow page the sidebar lies over the page: open it."""
    page.get_by_test_id("stExpandSidebarButton").click()
    page.wait_for_timeout(1000)  # it slides in


def at_rest(page: Any) -> Any:
    """The page, once all of it has its place."""
    has_text(figure(page, "Parameters"), "5.72 M")
    page.locator(".js-plotly-plot").first.wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    slider(page, "vit.depth").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    return page


def test_a_drag_shows_its_value_at_once_and_moves_the_design_when_it_ends(
    open_page: Any, address: str
) -> None:
    from playwright.sync_api import expect

    page = at_rest(open_page(address + TINY))
    page.evaluate(
        """window.told = []; document.addEventListener('studio:knob-input',
           ({ detail }) => window.told.push([detail.row, detail.value]))"""
    )
    page.mouse.move(*at(page, "vit.depth", 11 / 47))
    page.mouse.down()
    page.mouse.move(*at(page, "vit.depth", 17 / 47), steps=5)
    expect(number(page, "vit.depth")).to_have_value("18")
    assert "depth" not in page.url
    page.mouse.up()
    page.wait_for_url(re.compile("depth=18"))
    expect(slider(page, "vit.depth")).to_have_value("18")
    assert page.evaluate("window.told.at(-1)") == ["vit.depth", 18]


def test_a_drag_keeps_its_value_whatever_the_page_does_meanwhile(
    open_page: Any, address: str
) -> None:
    from playwright.sync_api import expect

    page = at_rest(open_page(address + TINY))
    slider(page, "vit.depth").press("ArrowRight")
    page.mouse.move(*at(page, "vit.embed_dim", 0.5))
    page.mouse.down()
    page.mouse.move(*at(page, "vit.embed_dim", (576 - 64) / 1600), steps=3)  # heads divide it
    expect(number(page, "vit.embed_dim")).to_have_value("576")
    page.wait_for_url(re.compile("depth=13"))
    page.get_by_role("heading", name="depth=13").wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    expect(number(page, "vit.embed_dim")).to_have_value("576")
    page.mouse.up()
    page.wait_for_url(re.compile("embed_dim=576"))
    assert "depth=13" in page.url


def test_a_number_is_typed_in_and_a_refused_one_goes_back(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = open_page(address + TINY)
    field = number(page, "vit.depth")
    field.fill("6")
    field.press("Enter")
    page.wait_for_url(re.compile("depth=6"))
    expect(slider(page, "vit.depth")).to_have_value("6")
    field.fill("600")
    field.press("Enter")
    page.get_by_text("depth=600 is outside 1 to 48").wait_for()
    expect(field).to_have_value("6")
    field.fill("30")
    field.press("Escape")
    expect(field).to_have_value("6")


def test_a_value_that_does_not_fit_snaps_and_says_why(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = open_page(address + TINY)
    field = number(page, "vit.num_heads")
    field.fill("5")
    field.press("Enter")
    note = page.locator('[data-knob="vit.num_heads"] .note')
    expect(note).to_contain_text("num_heads was set to 6")
    expect(field).to_have_value("6")


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(
    open_page: Any, address: str
) -> None:
    page = open_page(address + TINY)
    depth = page.get_by_role("slider", name="Encoder blocks L depth", exact=True)
    depth.focus()
    for key, value in (("ArrowRight", 13), ("Home", 1), ("End", 48)):
        pressed(depth, key)
        assert depth.input_value() == str(value)
    page.keyboard.press("Shift+Tab")
    typed = page.get_by_role("spinbutton", name="Encoder blocks L depth, as a number")
    assert typed.evaluate("field => field === field.getRootNode().activeElement")
    page.get_by_text("More", exact=True).click()
    page.get_by_text("Benchmark settings").click()
    pressed(page.get_by_role("radio", name="LayerNorm"), "ArrowRight")
    assert "norm=RMSNorm" in page.url
    page.get_by_role("switch", name="Compiled").wait_for()
    page.get_by_role("radiogroup", name="Data type").wait_for()
    nameless = page.locator(".knobs").first.evaluate(
        """panel => [...panel.querySelectorAll('input, select')].filter((one) =>
            !one.getAttribute('aria-label') && ![...one.labels].some((l) => l.textContent.trim()))
            .map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_knobs_of_the_sidebar_can_be_touched(open_page: Any, address: str) -> None:
    page = open_page(address + TINY, *PHONE)
    has_text(figure(page, "Parameters"), "5.72 M")
    overlay(page)
    slider(page, "vit.depth").scroll_into_view_if_needed()
    line = page.context.new_cdp_session(page)
    line.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    x, y = at(page, "vit.depth", 11 / 47)
    end, _ = at(page, "vit.depth", 23 / 47)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": (x + end) / 2, "y": y}]),
        ("touchMove", [{"x": end, "y": y}]),
        ("touchEnd", []),
    ):
        line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_url(re.compile(r"depth=\d"))
    low = page.locator(".knobs").first.evaluate(
        """panel => [...panel.querySelectorAll('input[type=range], input[type=number], select')]
            .filter((one) => one.offsetParent)
            .map((one) => one.getBoundingClientRect().height).filter((height) => height < 44)"""
    )
    assert low == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1366, 900), PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("query", ["?family=resnet", "?family=hybrid&view=Compose&place=stages.1"])
def test_nothing_sticks_out_of_the_panel(
    open_page: Any, address: str, size: tuple[int, int], scheme: str, query: str
) -> None:
    page = open_page(address + query, *size, scheme=scheme)
    page.locator(".knobs .row").first.wait_for(state="attached")
    if size == PHONE:
        overlay(page)
    for panel in page.locator(".knobs").all():
        across = panel.evaluate("panel => panel.scrollWidth - panel.clientWidth")
        assert across <= 0
