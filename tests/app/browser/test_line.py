"""A slow line between browser and server: what one has not yet heard of the other moves nothing.

The page looks by itself at a measurement, and such a look tells the values of all controls.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.app.browser.test_browser import figure, has_text
from tests.app.browser.test_compose import press
from tests.app.conftest import slider

# Opened by no other test, so that the page measures and looks: what is measured is looked at
# no more.
BUSY = "?family=unet&image_size="


class Line:
    """The line of a page: what the browser sends passes `up`, what the server sends `down`."""

    def __init__(self, page: Any) -> None:
        self.up: Callable[[BackMsg], None] = self.send
        self.down: Callable[[Any], None] = self.give
        page.route_web_socket(re.compile("_stcore/stream"), self._join)

    def _join(self, browser: Any) -> None:
        self._browser, self._server = browser, browser.connect_to_server()
        browser.on_message(lambda told: self.up(BackMsg.FromString(told)))
        self._server.on_message(lambda told: self.down(told))

    def send(self, message: BackMsg) -> None:
        self._server.send(message.SerializeToString())

    def give(self, message: Any) -> None:
        self._browser.send(message)


def drop(message: BackMsg) -> None:
    pass


def is_look(message: BackMsg) -> bool:
    return bool(message.rerun_script.is_auto_rerun)


def wait_for_one(looks: list[BackMsg], page: Any) -> None:
    end = time.monotonic() + 20
    while not looks and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert looks, "it did not look"


def test_a_look_sent_before_a_press_was_heard_of_moves_nothing(
    open_page: Any, address: str
) -> None:
    page = open_page("about:blank")
    line = Line(page)
    page.goto(f"{address}{BUSY}240")
    page.get_by_role("radio", name="Compose").click()
    page.locator(".st-key-start-hybrid").wait_for()
    looks: list[BackMsg] = []
    held: list[Any] = []

    def up(message: BackMsg) -> None:
        looks.extend([message] * is_look(message))
        line.send(message)

    line.down = held.append
    press(page, "start-hybrid")
    line.up = up
    wait_for_one(looks, page)
    line.up, line.down = drop, line.give  # so that no later message mends the page
    for message in held:
        line.give(message)
    page.wait_for_timeout(2000)
    assert "family=hybrid" in page.url


def test_a_look_that_tells_of_a_press_before_its_own_message_takes_nothing_from_it(
    open_page: Any, address: str
) -> None:
    page = open_page("about:blank")
    line = Line(page)
    looks: list[BackMsg] = []

    def up(message: BackMsg) -> None:
        looks.extend([message] * is_look(message))
        if looks and not is_look(message):
            look = looks[-1]
            look.rerun_script.widget_states.CopyFrom(message.rerun_script.widget_states)
            line.send(look)
            time.sleep(0.5)  # while the server runs it
        line.send(message)

    line.up = up
    page.goto(f"{address}{BUSY}208")
    has_text(figure(page, "Parameters"), "31.0 M")
    wait_for_one(looks, page)
    slider(page, "unet.depth").press("ArrowRight")
    page.wait_for_url(re.compile("depth="))
