"""How fast the layer graph follows a slider, as a ratio to an empty page.

    python -m pytest tests/benchmarks/bench_graph.py -o addopts= -s

Each trial moves a slider by one value in headless Chromium, by a key or by a drag of the mouse; the
clock runs in the page, from the key or the release until the frame that shows the new picture has
been painted. Every move brings a design that was not on the page before. Zoom, scroll and selection
are set before and must be there after. The bars are for a machine that is left alone: the load is
printed, and the studio's own measuring of the design before has come to its end when a slider is
moved.
"""

from __future__ import annotations

import os
import statistics
from typing import Any
from urllib.parse import quote

import pytest

from studio import zoo
from studio.workbench import results
from studio.workbench.workload import Workload
from tests.app.conftest import (
    address,  # noqa: F401 - fixtures
    chromium,  # noqa: F401
    open_page,  # noqa: F401
)
from tests.benchmarks.releases import (
    How,
    echo,  # noqa: F401
    move,
    slider_of,
)

TRIALS = 9
IMAGE_SIZE = slider_of("mask_rcnn.image_size")
QUIET_MS = 900  # after the last change
MEASURED_S = 3  # in which the rounds that come after the first figure are over
# In the page: whether the latency is there.
MEASURED = """
() => [...document.querySelectorAll('*')].map((one) => one.shadowRoot?.querySelector(
  '.figures.one .figure b')).filter(Boolean).at(-1)?.textContent !== '…'
"""


def everything(family: str) -> str:
    """The names of all blocks down to the second level, those too that no level opens."""
    children = results.graph(Workload(zoo.family(family).design())).root.children
    blocks = [*children, *(below for child in children for below in child.children)]
    return quote(",".join(block.id for block in blocks if block.children))


def where(page: Any) -> tuple[float, float, float]:
    """Where the selected box is on the screen (its middle, its top), and the zoom."""
    box = page.locator(".graph .node.selected").first.bounding_box()
    zoom = float(page.locator(".graph").get_attribute("data-view").split()[2])
    return box["x"] + box["width"] / 2, box["y"], zoom


@pytest.mark.parametrize("how", ["key", "mouse"])
@pytest.mark.parametrize(
    ("query", "slider", "bar"),
    [
        ("family=vit&preset=ViT-B/16", slider_of("vit.depth"), 3.0),
        ("family=detr&encoder_depth=1", slider_of("detr.encoder_depth"), 3.0),
        (f"family=mask_rcnn&open={everything('mask_rcnn')}", IMAGE_SIZE, 9.0),
    ],
    ids=["vit", "detr", "600 boxes, all of them new"],
)
def test_the_graph_follows_a_slider(
    open_page: Any,  # noqa: F811
    address: str,  # noqa: F811
    echo: str,  # noqa: F811
    query: str,
    slider: str,
    bar: float,
    how: How,
) -> None:
    studio, empty = open_page(f"{address}?{query}"), open_page(echo)
    studio.locator(".js-plotly-plot").first.wait_for()
    empty.locator(".figure").wait_for()
    studio.locator(".graph .node").first.click()
    studio.locator(".graph .node.selected").wait_for()
    studio.get_by_role("button", name="Zoom in").click()
    seen = where(studio)
    echoes, found = [], []
    for _ in range(TRIALS + 2):
        studio.wait_for_function(MEASURED)
        studio.wait_for_timeout(1000 * MEASURED_S)
        studio.locator("[data-test-script-state=notRunning]").wait_for()
        echoes.append(move(empty, "input", up=True).figures)
        found.append(move(studio, slider, True, how, QUIET_MS))  # a new design each time
    base = statistics.median(echoes[2:])
    median = statistics.median(one.painted for one in found[2:])
    busy = statistics.median(one.busy for one in found[2:])
    boxes = studio.locator(".graph .node").count()
    print(
        f"\n{query[:40]}, by {how}, load {os.getloadavg()[0]:.1f}: {boxes} boxes, {median:.0f} ms"
        f" (quickest {min(one.painted for one in found):.0f}), {busy:.0f} of them in the browser;"
        f" echo {base:.0f} ms, {median / base:.2f} x (bar {bar})"
    )
    assert where(studio) == pytest.approx(seen, abs=1)
    assert studio.locator(".graph .node.selected").count() == 1
    assert median <= bar * base
