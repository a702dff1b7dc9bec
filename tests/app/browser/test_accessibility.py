"""axe-core, which finds what a screen reader cannot read and what is too faint, on every view.

One half of the views is light and the other dark, by turns with each commit.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.app.browser.test_browser import figure, has_text, open_tab
from tests.commit_sample import commit_random

pytestmark = pytest.mark.browser

SERIOUS = {"serious", "critical"}
PATIENCE_S = 30
# The contents of a tab, by which it is known to be there.
TABS = {
    "Scaling": ".js-plotly-plot .points path",
    "Layers": "text=Leaf rows sum to the total",
    "Memory": "text=The largest batch whose tensors fit",
    "Code": ".st-key-listing .token",
    "Report": "iframe",
    "Lesson": "text=Use it when",
}
# What cannot be mended here: the rule, and the element as axe-core names it.
EXCLUDED = {
    # st.code scrolls within a <pre> without a tabindex. Browsers give such an element the focus by
    # themselves (Chromium from 130 on), which the rule does not know.
    ("scrollable-region-focusable", "pre"),
}


def scheme(half: str) -> str:
    """The colours in which this commit looks at one half of the views, and not at the other."""
    light, _ = commit_random("accessibility").sample(["tabs", "views"], 2)
    return "light" if half == light else "dark"


def faults(page: Any) -> list[str]:
    """What is wrong on the page and, where there is one, in the report within it."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "iframes": False}
    return [
        f"{rule['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for frame in page.frames
        for rule in Axe().run(frame, options=options).response["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
        if (rule["id"], node["target"][0]) not in EXCLUDED
    ]


def has_no_fault(page: Any, content: str) -> None:
    """Once a content is there: what is being redrawn is faint for a moment."""
    page.locator(content).first.wait_for(state="attached")
    page.locator("[data-test-script-state=notRunning]").wait_for()
    end = time.monotonic() + PATIENCE_S
    while found := faults(page):
        if time.monotonic() > end:
            pytest.fail("\n".join(found))
        page.wait_for_timeout(200)


def test_the_tabs_can_be_read_by_everyone(open_page: Any, address: str) -> None:
    query = "?family=vit&preset=ViT-Ti/16&depth=13"
    page = open_page(address + query, scheme=scheme("tabs"))
    has_text(figure(page, "Parameters"), "6.16 M")
    page.locator(".knobs summary", has_text="More").click()
    for tab, content in TABS.items():
        open_tab(page, tab)
        has_no_fault(page, content)


def test_the_other_views_can_be_read_by_everyone(open_page: Any, address: str) -> None:
    query = "?view=Compose&family=hybrid&place=stages.1"
    page = open_page(address + query, scheme=scheme("views"))
    has_no_fault(page, ".node.selected")
    page.get_by_role("button", name="Pin").click()
    page.get_by_role("button", name="Unpin").wait_for()
    page.get_by_role("radio", name="Compare").click()
    has_no_fault(page, ".compared td")
    page.get_by_role("radio", name="Architect").click()
    has_no_fault(page, ".choice")
    page = open_page(address + "?view=Compose&family=vit", scheme=scheme("views"))
    has_no_fault(page, ".st-key-start-hybrid")
    broken = "?view=Compose&family=hybrid&stages=Conv()+ToTokens()+ToMap()&head=PooledHead()"
    page = open_page(address + broken + "&place=stages.1", scheme=scheme("views"))
    has_no_fault(page, ".node.selected")
