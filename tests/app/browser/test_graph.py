"""The layer graph in a real browser: click, keys, folding, levels, and what it says of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.conftest import slider
from tests.commit_sample import commit_sample
from tests.process.processes import wait_until

pytestmark = pytest.mark.browser


def box(page: Any, name: str) -> Any:
    return page.locator(f'.graph .node[data-id="{name}"]')


def focused(page: Any, name: str) -> None:
    box(page, name).and_(page.locator(":focus")).wait_for()


def selected(page: Any, name: str) -> None:
    page.locator(f'.graph .node.selected[data-id="{name}"][aria-pressed="true"]').wait_for()


def level(page: Any, name: str) -> Any:
    return page.get_by_role("group", name="Levels").get_by_role("button", name=name)


def test_a_click_selects_and_opens_and_the_title_closes(open_page: Any, address: str) -> None:
    page = open_page(address)
    box(page, "blocks.0").click()
    box(page, "blocks.0.norm1").wait_for()
    selected(page, "blocks.0")
    page.wait_for_url(re.compile("open=blocks.0.*node=blocks.0"))
    box(page, "blocks.0.norm1").click()
    selected(page, "blocks.0.norm1")
    frame = box(page, "blocks.0").locator(".face").bounding_box()
    page.mouse.click(frame["x"] + 6, frame["y"] + 60)
    selected(page, "blocks.0")
    assert box(page, "blocks.0.norm1").count() == 1  # the frame was selected, not closed
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + 8)
    box(page, "blocks.0.norm1").wait_for(state="detached")
    selected(page, "blocks.0")
    box(page, "norm").click()
    selected(page, "norm")
    box(page, "norm").click()
    page.locator(".graph .node.selected").wait_for(state="detached")


def test_a_selection_does_not_draw_the_picture_anew(open_page: Any, address: str) -> None:
    page = open_page(address)
    box(page, "head").click()
    page.wait_for_url(re.compile("node=head"))
    page.get_by_role("button", name="Zoom in").click()
    view = page.locator(".graph").get_attribute("data-view")
    picture = page.locator(".graph .canvas > svg").element_handle()
    box(page, "norm").click()
    page.wait_for_url(re.compile("node=norm"))
    page.locator(".node-panel h6", has_text="LayerNorm").wait_for()
    assert picture.evaluate("svg => svg.isConnected")
    slider(page, "vit.depth").press("ArrowRight")
    page.locator("svg text", has_text="EncoderBlock × 13").wait_for()
    selected(page, "norm")
    assert page.locator(".graph").get_attribute("data-view") == view


def test_arrow_keys_walk_the_data(open_page: Any, address: str) -> None:
    page = open_page(address)
    box(page, "input").focus()
    for name in ("patch_embed", "cat", "add", "blocks.0"):
        page.keyboard.press("ArrowDown")
        focused(page, name)
    page.keyboard.press("Enter")
    box(page, "blocks.0.norm1").wait_for()
    focused(page, "blocks.0")  # the block that was opened, in the new picture
    page.keyboard.press("ArrowDown")
    focused(page, "blocks.0.norm1")
    page.keyboard.press(" ")
    selected(page, "blocks.0.norm1")
    for key, name in (
        ("ArrowRight", "blocks.0.add"),  # the same data goes round it, to the residual
        ("ArrowUp", "blocks.0.attn"),
        ("Shift+Tab", "blocks.0.norm1"),
    ):
        page.keyboard.press(key)
        focused(page, name)
    page.keyboard.press("Shift+Tab")
    focused(page, "blocks.0")
    page.keyboard.press("Enter")
    box(page, "blocks.0.norm1").wait_for(state="detached")
    focused(page, "blocks.0")


def test_arrow_keys_follow_the_data_through_a_u(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=unet")
    box(page, "encoders.0").focus()
    for key, name in (
        ("ArrowDown", "pool"),
        ("ArrowDown", "encoders.1"),
        ("ArrowRight", "decoders.2"),  # along the skip
        ("ArrowDown", "decoders.3"),  # the data flows upwards there
        ("ArrowUp", "decoders.2"),
        ("ArrowLeft", "encoders.1"),
    ):
        page.keyboard.press(key)
        focused(page, name)


def test_levels_open_and_close_all_blocks(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=resnet&preset=ResNet-18")
    box(page, "input").wait_for()
    folded = page.locator(".graph .node").count()
    level(page, "Open 1 level").click()
    told = page.locator(".graph [aria-live]")
    told.get_by_text(re.compile(r"\d\d boxes")).wait_for()
    page.locator(".graph .levels [aria-pressed=true]", has_text="1").wait_for()
    assert page.locator(".graph .node").count() > folded
    page.locator(".graph .node.open").first.focus()
    inner = page.locator(".graph .node.open").first.get_attribute("data-id")
    level(page, "Close all blocks").click()
    page.locator(".graph .node.open").first.wait_for(state="detached")
    assert page.locator(".graph .node").count() == folded
    assert box(page, inner).get_attribute("aria-expanded") == "false"


def test_a_screen_reader_hears_figures_and_the_picture_has_a_name(
    open_page: Any, address: str
) -> None:
    page = open_page(address)
    page.get_by_role("group", name="Layer graph of ViT").wait_for()
    block = page.get_by_role("button", name=re.compile("^EncoderBlock,.*12 times.*7,087,872 par"))
    assert block.get_attribute("data-id") == "blocks.0"


def test_a_phone_scrolls_the_page_and_taps_the_graph(chromium: Any, address: str) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(address)
    box(page, "blocks.0").tap()
    box(page, "blocks.0.norm1").wait_for()
    selected(page, "blocks.0")
    context.close()


def inside(frame: Any, room: Any) -> bool:
    """Whether a box lies in another one, to a pixel."""
    return bool(
        frame["x"] >= room["x"] - 1
        and frame["y"] >= room["y"] - 1
        and frame["x"] + frame["width"] <= room["x"] + room["width"] + 1
        and frame["y"] + frame["height"] <= room["y"] + room["height"] + 1
    )


LAPTOP, PHONE = (1366, 768), (420, 900)


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize(
    ("link", "blocks"),
    commit_sample(
        "blocks that are opened",
        [
            ("?family=vit", ("blocks.0", "blocks.0.attn")),
            ("?family=resnet&preset=ResNet-50", ("stages.3",)),
            ("?family=unet", ("decoders.3",)),
        ],
        1,
    ),
)
def test_an_opened_block_is_fitted_into_view(
    open_page: Any, address: str, link: str, blocks: tuple[str, ...], size: tuple[int, int]
) -> None:
    page = open_page(address + link, *size)
    for block in blocks:
        box(page, block).focus()
        page.keyboard.press("Enter")
        page.locator(f'.graph .node.open[data-id="{block}"]').wait_for()
        page.wait_for_timeout(300)  # it has glided to its place
        frame = box(page, block).locator(".face").bounding_box()
        assert inside(frame, page.locator(".graph .canvas").bounding_box()), block


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("view", commit_sample("clicks", ["Explore", "Compose"], 1))
def test_what_a_click_tells_is_in_sight(
    open_page: Any, address: str, size: tuple[int, int], view: str
) -> None:
    """Beside the graph, or over the foot of a narrow page; also where a link names a node."""
    width, height = size
    page = open_page(address + f"?family=vit&view={view}", width, height)
    box(page, "blocks.0").focus()  # as far down as a hand would scroll
    page.keyboard.press(" ")
    for shown in (page, None):
        shown = shown or open_page(page.url, width, height)
        told = shown.locator(".node-panel h6", has_text="EncoderBlock")
        told.wait_for()
        spot = told.bounding_box()
        assert 0 <= spot["x"] < width
        assert 0 <= spot["y"] < height - spot["height"]
        page.wait_for_url(re.compile("node=blocks.0"))
    page.get_by_role("button", name="Close", exact=True).click()
    page.locator(".node-panel").wait_for(state="detached")


@pytest.mark.parametrize(
    "link", commit_sample("overviews", ["yolo", "unet", "detr", "mask_rcnn"], 2)
)
def test_the_overview_is_fitted_from_side_to_side(open_page: Any, address: str, link: str) -> None:
    page = open_page(f"{address}?family={link}", *LAPTOP)
    box(page, "input").wait_for()
    page.locator(".graph[data-view]").wait_for()

    def is_fitted() -> bool:
        room = page.locator(".graph .canvas").bounding_box()
        frames = [face.bounding_box() for face in page.locator(".graph .node > .face").all()]
        return all(inside(frame | {"y": room["y"], "height": 0}, room) for frame in frames)

    wait_until(is_fitted)  # the room may change while the page is drawn
    assert float(page.locator(".graph").get_attribute("data-view").split()[2]) >= 0.5


def test_a_block_within_another_leaves_that_one_in_sight(open_page: Any, address: str) -> None:
    page = open_page(address, *LAPTOP)
    for block in ("blocks.0", "blocks.0.attn"):
        box(page, block).focus()
        page.keyboard.press("Enter")
        page.locator(f'.graph .node.open[data-id="{block}"]').wait_for()
    page.wait_for_timeout(300)  # it has glided to its place
    room = page.locator(".graph .canvas").bounding_box()
    around = box(page, "blocks.0").locator("> .face").bounding_box()
    assert inside(around | {"y": room["y"], "height": 0}, room)
