"""The main job, as a person does it: in Chromium, on the real server, with real measurements."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import ROOT, slider

pytestmark = pytest.mark.browser

SMALL = "?family=vit&preset=ViT-S/16"
PHONE, NARROW, LAPTOP = (390, 844), (1000, 900), (1366, 900)


def figure(page: Any, name: str) -> Any:
    return page.locator(".figure", has_text=name).locator("b")


def has_text(locator: Any, text: str | re.Pattern[str], seconds: float = 60) -> None:
    from playwright.sync_api import expect

    expect(locator).to_have_text(text, timeout=1000 * seconds)


def turn(page: Any, knob: str, key: str = "ArrowRight") -> None:
    slider(page, f"vit.{knob}").press(key)


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def chart_has(page: Any, condition: str, seconds: float = 60) -> None:
    """A chart comes to hold traces (`data`) that meet the condition.

    Streamlit mounts a chart of new figures beside the old one and removes that, so for a
    moment there are two charts or none.
    """
    page.wait_for_function(
        f"""[...document.querySelectorAll('.js-plotly-plot')].some(({{ data }}) => data?.length
             && {condition})""",
        timeout=1000 * seconds,
    )


def is_marked_at(page: Any, x: float) -> None:
    """The design on the page comes to lie at x on the first chart, where the large mark is."""
    chart_has(page, f"data[0].x.some((v, i) => v === {x} && data[0].marker.size[i] > 10)")


def test_a_design_from_slider_to_script(open_page: Any, address: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = open_page(address + "?family=resnet&preset=ResNet-18")
    has_text(figure(page, "Parameters"), "11.7 M")
    page.get_by_role("combobox", name="Family").fill("Vision")
    page.get_by_role("option", name="Vision Transformer").click()
    has_text(figure(page, "Parameters"), "86.6 M")
    preset = page.get_by_role("combobox", name="Preset")
    expect(preset).to_have_value("ViT-B/16 · 86.6 M")  # the box before it was that of ResNets
    preset.click()
    page.get_by_role("option", name="ViT-Ti/16 · 5.72 M", exact=True).click()
    has_text(figure(page, "Parameters"), "5.72 M")
    page.locator("svg text", has_text="EncoderBlock × 12").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()  # a redrawn chart stands beside the old one
    is_marked_at(page, 12)

    turn(page, "depth", "ArrowLeft")
    has_text(figure(page, "Parameters"), "5.27 M")
    page.locator("svg text", has_text="EncoderBlock × 11").wait_for()
    chart_has(page, "data[0].x.includes(11)")
    is_marked_at(page, 11)
    has_text(figure(page, "Latency"), re.compile(r"^(≈ )?[\d.]+ (ms|s)$"))

    open_tab(page, "Code")
    page.get_by_text("The last change rewrote").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download script").click()
    script = tmp_path / "design.py"
    download.value.save_as(script)
    ran = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("5,272,552 parameters")  # ViT-Ti/16 less one block of 444,864

    again = open_page(page.url)
    has_text(figure(again, "Parameters"), "5.27 M")
    again.get_by_role("tab", name="Code", selected=True).wait_for()


def test_a_sweep_whose_points_arrive_while_the_page_is_used(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=cnn&preset=CNN+32-64+@28+(MNIST)")
    page.locator(".js-plotly-plot").first.wait_for()  # a redrawn chart stands beside the old one
    page.get_by_role("button", name="Benchmark this axis").click()
    page.get_by_role("button", name="Cancel").wait_for()
    chart_has(page, "data.at(-1).x.length >= 3", seconds=120)
    slider(page, "cnn.depth").press("ArrowRight")
    page.get_by_text("depth=3").first.wait_for()
    page.get_by_role("button", name="Benchmark this axis").wait_for(timeout=120_000)
    chart_has(page, "data.at(-1).x.length >= 3")


def test_a_sweep_can_be_cancelled(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=recurrent")
    page.locator(".js-plotly-plot").first.wait_for()  # a redrawn chart stands beside the old one
    page.get_by_role("button", name="Benchmark this axis").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Benchmark this axis").wait_for()


def test_layers_are_timed_and_a_training_step_is_simulated(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = open_page(address + "?family=cnn&tab=Layers")
    page.get_by_role("button", name="Benchmark layers").click()
    # Once it is back there are times: it is disabled, or on a busy machine asks to do it again.
    again = page.get_by_role("button", name="Benchmark layers again")
    done = page.get_by_role("button", name="Benchmark layers", disabled=True)
    expect(again.or_(done)).to_be_visible(timeout=60_000)
    open_tab(page, "Memory")
    page.get_by_text("The largest batch whose tensors fit").wait_for()
    page.wait_for_url(re.compile("tab=Memory"))
    field = page.locator(".st-key-memory-room")
    row = "field => { const row = field.closest('.stHorizontalBlock'); return"
    cut = row + " row.scrollWidth - row.clientWidth }"
    assert field.evaluate(cut) <= 0  # nothing of it sticks out of the row that it is in


def test_the_back_button_undoes_a_change(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = open_page(address + SMALL)
    has_text(figure(page, "Parameters"), "22.1 M")
    turn(page, "depth")
    has_text(figure(page, "Parameters"), "23.8 M")
    page.wait_for_url(re.compile("depth=13"))
    page.go_back()
    has_text(figure(page, "Parameters"), "22.1 M")
    expect(slider(page, "vit.depth")).to_have_value("12")  # it follows the figures


def test_the_graph_follows_the_back_button_and_its_own_link(open_page: Any, address: str) -> None:
    page = open_page(address + SMALL)
    told = page.locator(".node-panel", has_text="in_features=384, out_features=1000")
    page.locator('.node[data-id="head"]').click()
    told.wait_for()
    page.wait_for_url(re.compile("node=head"))
    page.go_back()
    told.wait_for(state="detached")
    page.locator('.node[data-id="blocks.0"]').click()
    page.locator('.node[data-id="blocks.0.norm1"]').wait_for()
    page.wait_for_url(re.compile("open=blocks.0"))
    assert "node=blocks.0" in page.url
    assert "node=head" not in page.url  # what the back button undid stays undone
    again = open_page(page.url)
    again.locator('.node[data-id="blocks.0.norm1"]').wait_for()


@pytest.mark.parametrize("size", [LAPTOP, NARROW], ids=["laptop", "narrow"])
def test_the_graph_stays_where_it_is_whatever_the_cards_say(
    open_page: Any, address: str, size: tuple[int, int]
) -> None:
    page = open_page(address + SMALL, *size)
    has_text(figure(page, "Latency"), re.compile(r"\d"))
    height = page.locator(".graph").bounding_box()["y"]
    page.get_by_role("button", name="Pin").click()
    page.get_by_role("button", name="Unpin").wait_for()
    turn(page, "depth")
    page.get_by_text("vs pinned").first.wait_for()
    has_text(figure(page, "Latency"), re.compile(r"\d"))
    assert page.locator(".graph").bounding_box()["y"] == pytest.approx(height, abs=1)
    large = open_page(address + "?family=vit&preset=ViT-L/16", *size)
    large.get_by_role("button", name="Benchmark", exact=True).wait_for()
    assert large.locator(".graph").bounding_box()["y"] == pytest.approx(height, abs=1)


def test_a_held_key_ends_where_the_slider_is(open_page: Any, address: str) -> None:
    page = open_page(address + SMALL)
    has_text(figure(page, "Parameters"), "22.1 M")
    for _ in range(8):
        turn(page, "depth")
    page.get_by_role("heading", name="ViT-S/16, depth=20").wait_for()
    assert slider(page, "vit.depth").input_value() == "20"


def test_a_bad_link_says_what_is_wrong(open_page: Any, address: str) -> None:
    page = open_page(address + SMALL + "&num_heads=7")
    page.get_by_text("num_heads=7 must divide embed_dim=384").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, NARROW, PHONE], ids=["laptop", "narrow", "phone"])
def test_the_page_fits_the_screen(
    open_page: Any, address: str, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    page = open_page(address + SMALL, *size, scheme=scheme)
    page.locator(".js-plotly-plot .points path").first.wait_for(state="attached")
    has_text(figure(page, "Latency"), re.compile(r"\d"))
    if "STUDIO_SCREENSHOTS" in os.environ and size == LAPTOP:  # a picture worth showing
        page.get_by_role("button", name="Benchmark this axis").click()
        page.get_by_role("button", name="Cancel").wait_for()
        page.get_by_role("button", name="Benchmark this axis").wait_for(timeout=120_000)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # the chart draws its new points
    across = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    folder = Path(os.environ.get("STUDIO_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != ROOT / "assets":
        page.screenshot(path=folder / f"page-{size[0]}-{scheme}.png")
    elif (size, scheme) == (LAPTOP, "light"):
        page.screenshot(path=folder / "studio.png")
    assert across <= 0
    if size == LAPTOP:
        assert page.get_by_role("button", name="Benchmark this axis").bounding_box()["y"] < size[1]
