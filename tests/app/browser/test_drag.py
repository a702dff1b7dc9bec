"""A slider that is moved: what the page shows under the hand, and after the release."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from tests.app.browser.test_knob_panel import at, number, overlay
from tests.app.conftest import slider

pytestmark = pytest.mark.browser

TINY = "?family=vit&preset=ViT-Ti/16"  # embed_dim=192 in 3 heads, in steps of 64 from 64 to 1664
WIDTH = "vit.embed_dim"
REFUSED, REACHED = (320 - 64) / 1600, (576 - 64) / 1600
WHY = "num_heads=3 must divide embed_dim=320, so embed_dim was set to 384"


COMPOSE = "?view=Compose&family=hybrid&place=stages.1"
STAGE = "hybrid.Residual.stages.1.depth"
CARDS = "[...document.querySelectorAll('.figures:not(.one) .figure')].map((one) => one.innerText)"
# What the cards show in the very event of a move, and of which sliders all values are known.
WATCH = f"""() => {{
    window.seen = [];
    window.tables = {{}};
    document.addEventListener('studio:landing', () => window.seen.push({CARDS}));
    document.addEventListener('studio:table', ({{ detail }}) => {{
        window.tables[detail.row] = detail.complete;
    }});
}}"""


def colour(page: Any, x: float, y: float) -> Any:
    """Of a point of the screen."""
    clip = {"x": x - 1, "y": y - 1, "width": 2, "height": 2}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))


def note(page: Any, row: str) -> Any:
    """What is read below a slider."""
    return page.locator(f'[data-knob="{row}"] :is(.note, .why):visible')


def thumb(page: Any, row: str) -> tuple[float, float]:
    """Where the thumb of a slider is."""
    share = slider(page, row).evaluate("({ value, min, max }) => (value - min) / (max - min)")
    return at(page, row, share)


def figures(page: Any) -> list[str]:
    """What the four cards of figures say."""
    found: list[str] = page.evaluate(CARDS)
    return found


def watched(page: Any, row: str) -> Any:
    """The page at rest with a slider in sight, and with a listener to what it shows meanwhile."""
    page.locator(".js-plotly-plot .points path, .node.selected").first.wait_for(state="attached")
    page.locator("[data-test-script-state=notRunning]").wait_for()
    slider(page, row).scroll_into_view_if_needed()
    page.evaluate(WATCH)
    return page


def has_table(page: Any, row: str) -> None:
    """The browser has the values of a slider that is hovered, focused or touched."""
    page.wait_for_function("row => window.tables[row]", arg=row, timeout=60_000)


def followed(page: Any, before: list[str]) -> list[str]:
    """What the cards show under the hand, once they show anything else than before."""
    page.wait_for_function(f"before => String({CARDS}) !== String(before)", arg=before)
    page.evaluate("document.querySelector('.figure').classList.add('of-the-hand')")
    return figures(page)


def said(page: Any) -> list[str]:
    """What the cards show once the server has said it."""
    page.locator(".figure.of-the-hand").wait_for(state="detached")
    return figures(page)


def test_what_a_slider_cannot_reach_is_grey_and_says_why(open_page: Any, address: str) -> None:
    from playwright.sync_api import expect

    page = watched(open_page(address + TINY), WIDTH)
    track = slider(page, WIDTH)
    places = [at(page, WIDTH, share) for share in (REFUSED, REACHED)]
    before = [colour(page, *place) for place in places]
    page.mouse.move(*places[0])
    has_table(page, WIDTH)
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


@pytest.mark.parametrize(("query", "row"), [(TINY, "vit.depth"), (COMPOSE, STAGE)])
def test_a_drag_shows_what_the_server_then_says(
    open_page: Any, address: str, query: str, row: str
) -> None:
    page = watched(open_page(address + query), row)
    before, link = figures(page), page.url
    x, y = thumb(page, row)
    page.mouse.move(x, y)
    has_table(page, row)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    shown = followed(page, before)
    assert page.url == link  # the server does not know of it
    page.mouse.up()
    page.wait_for_url(lambda url: url != link)
    assert said(page) == shown


def test_a_drag_back_to_where_it_began_changes_nothing(open_page: Any, address: str) -> None:
    row = "vit.depth"
    page = watched(open_page(address + TINY), row)
    before, link = figures(page), page.url
    x, y = thumb(page, row)
    page.mouse.move(x, y)
    has_table(page, row)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=3)
    followed(page, before)
    page.mouse.move(x, y, steps=3)
    page.mouse.up()
    assert said(page) == before
    assert page.url == link


def test_keys_show_their_value_before_the_server_knows_of_it(open_page: Any, address: str) -> None:
    row = "vit.depth"
    page = watched(open_page(address + TINY), row)
    before, link = figures(page), page.url
    number(page, row).focus()
    page.keyboard.press("Tab")
    assert slider(page, row).evaluate("it => it === it.getRootNode().activeElement")
    has_table(page, row)
    page.keyboard.press("ArrowRight")
    (shown,) = page.evaluate("window.seen")  # within the event of the key
    assert shown != before
    page.wait_for_url(lambda url: url != link)
    page.wait_for_function(f"shown => String({CARDS}) === String(shown)", arg=shown)
    page.locator("[data-test-script-state=notRunning]").wait_for()
    assert figures(page) == shown


def test_a_finger_drags_a_slider_and_scrolls_past_it(open_page: Any, address: str) -> None:
    row = "vit.depth"
    page = open_page(address + TINY, 420, 900, scheme="dark", touch=True)
    overlay(page)
    watched(page, row)
    before, link = figures(page), page.url
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        given = [{"x": x, "y": y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})

    x, y = thumb(page, row)
    touch("touchStart", (x, y))
    for step in range(1, 16):
        touch("touchMove", (x, y - 20 * step))
    touch("touchEnd")
    slider(page, row).evaluate(
        """(slider, y) => new Promise((done) => {
            const look = () => (slider.getBoundingClientRect().y < y - 100 ? done()
                : requestAnimationFrame(look));
            look();
        })""",
        y,
    )
    assert (page.url, figures(page)) == (link, before)
    assert slider(page, row).input_value() == "12"

    x, y = thumb(page, row)
    touch("touchStart", (x, y))
    has_table(page, row)
    for step in range(1, 6):
        touch("touchMove", (x + 8 * step, y))
    shown = followed(page, before)
    touch("touchEnd")
    page.wait_for_url(lambda url: url != link)
    assert said(page) == shown
