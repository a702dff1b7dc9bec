"""How fast figures follow the hand on a slider, and how soon a slider's values are known.

    python -m pytest tests/benchmarks/bench_drag.py -o addopts= -s

In headless Chromium, with the mouse: the pointer comes to a slider, the table of its values is
waited for, and the slider is dragged. The clock runs in the page, from each input event of the
slider to the end of the first frame in which all four cards show the figures of that very value,
which this process works out by the library. Table times are of a design that nobody has asked for
before, and begin where the pointer reaches the slider.
"""

from __future__ import annotations

import os
import statistics
from typing import Any

import pytest

from studio.app.compose.stage_knobs import stage_sections
from studio.app.knob_panel.contents import design_sections
from studio.app.knob_panel.rows import controls, turned
from studio.workbench.page.figures import FIGURES, figure_text
from studio.workbench.page.state import FIRST
from tests.app.conftest import (
    address,  # noqa: F401 - fixtures
    chromium,  # noqa: F401
    open_page,  # noqa: F401
    slider,
)

STEPS = 24  # places of the pointer in a drag
CARDS_MS, TABLE_MS = 20.0, 400.0  # the bars
# In the page: what the table says and when, and what the cards show in the frame after an input.
WATCH = """
() => {
  window.tables = [];
  window.inputs = [];
  const cards = () => [...document.querySelectorAll('.figures:not(.one) .figure b')]
    .map((figure) => figure.textContent);
  document.addEventListener('studio:knob-hover', ({ detail }) => {
    window.hovered ??= performance.now();
  });
  document.addEventListener('studio:table', ({ detail }) => window.tables.push({
    at: performance.now(), row: detail.row, complete: detail.complete,
    values: detail.landings.map((one) => one.value),
  }));
  document.addEventListener('studio:knob-input', ({ detail }) => {
    const input = { value: detail.value, start: window.event?.timeStamp ?? performance.now() };
    window.inputs.push(input);
    requestAnimationFrame(() => setTimeout(() => {
      input.shown = cards();
      input.ms = performance.now() - input.start;
    }));
  }, { capture: true });
}
"""


@pytest.mark.parametrize(
    ("link", "row"),
    [
        ({"family": "vit", "preset": "ViT-S/16"}, "vit.depth"),
        ({"family": "resnet", "preset": "ResNet-18"}, "resnet.base_channels"),
        ({"family": "unet"}, "unet.image_size"),
        (
            {"view": "Compose", "family": "hybrid", "preset": "R50+ViT-B/16", "place": "stages.1"},
            "hybrid.StandardisedResidual.stages.1.width",
        ),
    ],
    ids=["vit", "resnet", "unet", "compose"],
)
def test_figures_follow_the_hand(
    open_page: Any,  # noqa: F811
    address: str,  # noqa: F811
    link: dict[str, str],
    row: str,
) -> None:
    query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in link.items())
    page = open_page(f"{address}?{query}")
    control = slider(page, row)
    control.wait_for()
    page.locator(".node").first.wait_for()
    page.wait_for_timeout(4000)
    page.evaluate(WATCH)
    control.scroll_into_view_if_needed()
    box, share = (
        control.bounding_box(),
        control.evaluate("s => (s.value - s.min) / (s.max - s.min)"),
    )
    x, y = box["x"] + 8 + (box["width"] - 16) * share, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 300)
    page.mouse.move(x, y)
    page.wait_for_function(
        "window.tables.at(-1)?.complete && window.tables.at(-1).row", timeout=120_000
    )
    hovered, tables = page.evaluate("[window.hovered, window.tables]")
    mine = [table for table in tables if table["row"] == row]
    first = next(table for table in mine if len(table["values"]) > 1)
    page.mouse.down()
    way = 1 if share < 0.5 else -1
    for step in range(1, STEPS + 1):
        page.mouse.move(x + way * step * 3, y)
        page.wait_for_timeout(40)
    inputs = page.evaluate("window.inputs")
    page.mouse.up()
    known = set(mine[-1]["values"])
    answered = [one for one in inputs if one["value"] in known]
    assert len(answered) > 4
    for one in answered:
        assert one["shown"] == figures(link, row, one["value"]), one["value"]
    slowest = max(one["ms"] for one in answered)
    middle = statistics.median(one["ms"] for one in answered)
    print(
        f"\n{row}, load {os.getloadavg()[0]:.1f}: table begins after"
        f" {first['at'] - hovered:.0f} ms with {len(first['values'])} values, has all"
        f" {len(known)} after {mine[-1]['at'] - hovered:.0f} ms (bar {TABLE_MS:.0f}); cards after"
        f" {middle:.1f} ms, at the most {slowest:.1f} ms (bar {CARDS_MS:.0f}),"
        f" {len(answered)} of {len(inputs)} inputs"
    )
    assert middle <= CARDS_MS


def figures(link: dict[str, str], row: str, value: float) -> list[str]:
    """The figures of this value by the library."""
    now = FIRST.follow_link(link)
    rows = controls((*design_sections(now, ("cpu",)), *stage_sections(now)))
    return [figure_text(figure, turned(now, rows[row], value))[0] for figure in FIGURES]
