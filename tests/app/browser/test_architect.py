"""From a task and a budget to a script that runs, as a person does it in Chromium."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.browser.test_browser import chart_has, figure, has_text, open_tab
from tests.app.conftest import slider
from tests.commit_sample import commit_sample

pytestmark = pytest.mark.browser

COUNTED = 180_000  # milliseconds that the sizes of a task may take on a busy machine


def asks(page: Any, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).fill(text)
    page.get_by_label(label, exact=True).press("Enter")


def run_script(page: Any, folder: Path) -> str:
    open_tab(page, "Code")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download script").click()
    script = folder / "design.py"
    download.value.save_as(script)
    ran = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=folder, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def params_in(told: str) -> int:
    found = re.search(r"([\d,_]+) parameters", told)
    assert found, told
    return int(re.sub(r"\D", "", found[1]))


@pytest.mark.parametrize(
    ("task", "limit", "most"),
    commit_sample(
        "tasks in a browser",
        [("Time series", "300 k", 300_000), ("Segmentation", "2 M", 2_000_000)],
        1,
    ),
)
def test_a_budget_becomes_a_script_that_keeps_it(
    open_page: Any, address: str, tmp_path: Path, task: str, limit: str, most: int
) -> None:
    page = open_page(address + "?view=Architect")
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name=task, exact=True).click()
    page.wait_for_url(re.compile("ask.task="))
    page.locator("[data-test-script-state=notRunning]").wait_for()
    asks(page, "Parameters", limit)
    page.get_by_text(f"of {most / 1e6:.2f} M" if most >= 1e6 else "of 300 k").first.wait_for(
        timeout=COUNTED
    )
    page.get_by_role("button", name="Open this design").first.click()
    has_text(figure(page, "Parameters"), re.compile(r"\d"))
    # A recommendation keeps its family's proportions: half of the budget is enough.
    assert 0.5 * most <= params_in(run_script(page, tmp_path)) <= most


def test_designs_are_compared_and_gone_back_to(open_page: Any, address: str) -> None:
    page = open_page(address + "?family=cnn")
    has_text(figure(page, "Parameters"), "2.47 M")
    page.get_by_role("button", name="Pin").click()
    slider(page, "cnn.depth").press("ArrowRight")
    page.get_by_text("vs pinned").first.wait_for()
    page.get_by_role("button", name="Compare with the pinned design").click()
    page.locator(".compared td", has_text="×").first.wait_for()
    chart_has(page, "data.length === 8")
    # Called otherwise where both were measured by themselves meanwhile.
    page.get_by_role("button", name=re.compile("Benchmark all( again)?")).click()
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.wait_for()
    cancel.wait_for(state="detached", timeout=60_000)
    page.locator(".compared tr", has_text="Latency").get_by_text("ms").nth(1).wait_for(
        timeout=60_000
    )
    page.get_by_role("radio", name="Explore").click()
    page.get_by_role("button", name="Undo").click()
    has_text(figure(page, "Parameters"), "2.47 M")
