"""Text from a link, a file, a name or a scheduler: nothing of it is rendered or fetched."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from studio.app.markup import JOINER
from tests.app.conftest import served

pytestmark = pytest.mark.browser
PAGE = Path(__file__).with_name("hostile.py")
TEXTS: tuple[str, ...] = next(
    ast.literal_eval(node.value)
    for node in ast.parse(PAGE.read_text("utf-8")).body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TEXTS"
)
ELEMENTS = 9  # in which each of them stands
# Whatever is rendered of such a text, inside of components and frames too.
FOUND = """
() => {
  const found = [], roots = [document];
  while (roots.length) {
    const root = roots.pop();
    for (const one of root.querySelectorAll('*')) {
      if (one.shadowRoot) roots.push(one.shadowRoot);
      const told = [one.href, one.src].map((v) => v?.baseVal ?? v ?? '').join(' ');
      const own = one.tagName === 'A' && one.href.startsWith(location.origin);
      if (/^[^?]*e\\.example|mailto/.test(told) && !own) found.push(one.outerHTML.slice(0, 200));
      if (one.matches('.katex, .katex-display')) found.push(one.outerHTML.slice(0, 200));
    }
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(PAGE) as url:
        yield url


def nothing_rendered(page: Any) -> None:
    for frame in page.frames:
        assert frame.evaluate(FOUND) == []


def settled(page: Any) -> None:
    page.locator("[data-testid='stSkeleton']").first.wait_for(state="detached")
    page.locator("[data-testid='stApp'][data-test-script-state='notRunning']").wait_for()


def test_a_plain_text_is_shown_to_the_letter_in_every_element(open_page: Any, address: str) -> None:
    page = open_page(f"{address}?show=plain")
    settled(page)
    nothing_rendered(page)
    for i, text in enumerate(TEXTS):
        box = page.locator(f".st-key-text{i}")
        page.wait_for_function(
            "([i, text, n, joiner]) => document.querySelector(`.st-key-text${i}`).innerText"
            ".replaceAll(joiner, '').split(text).length - 1 === n",
            arg=[i, text, ELEMENTS, JOINER],
        )
        assert box.locator("img, em, del, h1, ol, ul, blockquote, table").count() == 0
        assert box.locator("strong, code").count() == 2  # our own


LINKS = {
    "Explore": ("depths", "block", "image_size", "preset", "tab", "batch", "mode", "dtype"),
    "Compose": ("stages", "draft", "stem", "head", "place", "stages.0.depth", "node", "open"),
    "Compare": ("pin", "device", "axis", "layout", "compiled", "heat", "difference"),
    "Architect": ("ask.max-params", "ask.task", "ask.strategy", "ask.max-latency", "ask.batch"),
    "Memory": ("memory.mode", "memory.optimizer", "memory.over", "memory.room", "utm_source"),
}


@pytest.mark.parametrize("view", LINKS)
def test_a_hostile_link_is_a_text_and_no_more(open_page: Any, address: str, view: str) -> None:
    family = "hybrid" if view == "Compose" else "resnet"
    start = {"family": family} | ({"tab": view} if view == "Memory" else {"view": view})
    texts = [TEXTS[i % len(TEXTS)] for i in range(len(LINKS[view]))]
    page = open_page(f"{address}?{urlencode(start | dict(zip(LINKS[view], texts, strict=True)))}")
    settled(page)
    page.locator("[data-testid='stAlert']").first.wait_for()
    nothing_rendered(page)


def test_hostile_names_are_texts(open_page: Any, address: str) -> None:
    pin = urlencode({"family": "resnet", "base_channels": "32"})
    for view in ("Explore", "Compare"):
        page = open_page(f"{address}?{urlencode({'family': 'resnet', 'view': view, 'pin': pin})}")
        settled(page)
        assert "[n](//e.example)" in page.locator("body").inner_text().replace(JOINER, "")
        nothing_rendered(page)
        if view == "Explore":
            page.get_by_role("button", name="History").click()
            page.locator(".st-key-history-0").wait_for()
            nothing_rendered(page)
        page.context.close()
