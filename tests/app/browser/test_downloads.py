"""What is taken away, in a real browser: the four downloads of the page, and the file by itself."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

import studio

pytestmark = pytest.mark.browser


def box(page: Any, name: str) -> Any:
    return page.locator(f'.node[data-id="{name}"]')


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """Opens a file by its path, without a network; any fault or request fails the test."""
    faults: list[str] = []
    context = chromium.new_context(viewport={"width": 1366, "height": 900}, offline=True)

    def goto(path: Path) -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text))
        page.on("request", lambda asked: faults.append(asked.url) if asked.url != url else None)
        url = path.as_uri()
        page.goto(url)
        return page

    yield goto
    context.close()
    assert faults == []


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("taken") / "vit.html"
    path.write_text(studio.export(studio.design("vit"), "html"), encoding="utf-8")
    return path


def test_the_file_opens_alone_and_its_levels_unfold(opened: Any, file: Path) -> None:
    page = opened(file)
    page.get_by_role("heading", name="Vision Transformer: ViT-B/16").wait_for()
    assert box(page, "blocks.0").count() == 1
    assert box(page, "blocks.0.attn").count() == 0
    page.get_by_role("button", name="Open 1 level").click()
    box(page, "blocks.0.attn").wait_for()
    page.get_by_role("button", name="Open 2 levels").click()
    box(page, "blocks.0.attn.qkv").wait_for(state="attached")
    page.get_by_role("button", name="Close all blocks").click()
    box(page, "blocks.0.attn").wait_for(state="detached")


def test_a_click_tells_the_figures_and_opens_a_block(opened: Any, file: Path) -> None:
    page = opened(file)
    box(page, "norm").click()
    told = page.locator("aside")
    told.get_by_role("heading", name="LayerNorm").wait_for()
    told.get_by_text("1,536 parameters").wait_for()
    page.locator('.node.selected[data-id="norm"]').wait_for()
    box(page, "patch_embed").click()
    box(page, "patch_embed.proj").wait_for()
    told.get_by_role("heading", name="PatchEmbedding").wait_for()
    box(page, "patch_embed").focus()
    page.keyboard.press("Enter")
    box(page, "patch_embed.proj").wait_for(state="detached")


def test_the_table_says_the_same_and_leads_to_the_boxes(opened: Any, file: Path) -> None:
    page = opened(file)
    page.locator("summary").click()
    drawn = page.locator(".graph .node").count()
    assert page.locator("tbody tr:visible").count() == drawn
    row = page.get_by_role("row", name="EncoderBlock × 12")
    assert "85,054,464" in row.inner_text()
    row.get_by_role("button").click()
    page.locator('.node.selected[data-id="blocks.0"]').wait_for()
    page.get_by_role("button", name="Open 1 level").click()
    box(page, "blocks.0.attn").wait_for()
    assert page.locator("tbody tr:visible").count() > drawn


def test_it_is_dark_or_light_and_prints_white(opened: Any, file: Path) -> None:
    page = opened(file)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) == "rgb(20, 24, 31)"
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.locator(".graph .canvas > svg").is_visible()
    assert not page.locator(".bar").is_visible()
    picture = page.locator(".graph .canvas > svg").bounding_box()
    assert picture["x"] >= 0
    assert picture["x"] + picture["width"] <= 1366
    assert picture["height"] <= 900


def test_without_scripts_the_graph_is_there(chromium: Any, file: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert box(page, "blocks.0").is_visible()
    context.close()


def test_the_four_downloads_are_of_what_is_shown(
    open_page: Any, opened: Any, address: str, tmp_path: Path
) -> None:
    page = open_page(address + "?family=vit&preset=ViT-Ti/16&open=blocks.0")
    box(page, "blocks.0.attn").wait_for()
    page.get_by_role("button", name="Download").click()
    taken = {}
    for form in ("SVG", "PNG", "DOT", "HTML"):
        with page.expect_download() as download:
            page.get_by_role("button", name=form).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.name == f"vit_ti_16.{form.lower()}"
        taken[form] = path
    drawn = ElementTree.fromstring(taken["SVG"].read_text("utf-8"))
    nodes = {g.attrib.get("data-id") for g in drawn.iter("{http://www.w3.org/2000/svg}g")}
    assert {"blocks.0", "blocks.0.attn"} <= nodes
    assert "blocks.0.attn.qkv" not in nodes
    (link,) = drawn.iter("{http://www.w3.org/2000/svg}a")
    assert "open=blocks.0" in link.attrib["{http://www.w3.org/1999/xlink}href"]
    picture = Image.open(io.BytesIO(taken["PNG"].read_bytes()))
    assert picture.width == round(2 * float(drawn.attrib["width"]))
    assert "cluster_blocks.0" in taken["DOT"].read_text("utf-8").replace('"', "")
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg", taken["DOT"]], capture_output=True, check=True)
    file = opened(taken["HTML"])
    box(file, "blocks.0.attn").wait_for()
    assert box(file, "patch_embed.proj").count() == 0  # as it was taken: no level of all blocks
    file.get_by_role("button", name="Open 1 level").click()
    box(file, "patch_embed.proj").wait_for()
    file.get_by_role("button", name="As exported").click()
    box(file, "patch_embed.proj").wait_for(state="detached")
