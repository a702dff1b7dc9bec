"""How fast the layer graph follows a slider, as a ratio to an empty page too.

    python -m pytest tests/benchmarks/bench_graph.py -o addopts= -s

Each trial is one key press on a slider in headless Chromium; the clock runs in the page, from the
key until the frame that shows the new picture has been painted. Every press brings a design that
was not on the page before. Zoom, scroll and selection are set before and must be there after. The
bars are for a machine that is left alone: the load is printed, and the studio's own measuring of
the design before has come to its end when a key is pressed.
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
from tests.benchmarks.bench_page import (
    echo,  # noqa: F401
    press,
    slider_of,
)

TRIALS = 9
IMAGE_SIZE = slider_of("mask_rcnn.image_size")
MEASURED_S = 3  # in which the rounds that come after the first figure are over
# In the page: whether the latency is there.
MEASURED = """
() => [...document.querySelectorAll('.figures.one .figure b')].at(-1)?.textContent !== '…'
"""

# In the page: press a key, then say when the new picture was painted, and how long the browser
# itself was busy with it, from its arrival on.
WATCH = """
([input]) => {
  const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
  const slider = roots.map((root) => root?.querySelector(input)).find(Boolean);
  const canvas = roots.map((root) => root?.querySelector('.canvas')).find(Boolean);
  return new Promise((resolve) => {
    let start;
    const seen = new MutationObserver(() => {
      seen.disconnect(); // a new picture is there at once, in one go
      const arrived = performance.now();
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve([performance.now() - start, performance.now() - arrived]);
        port2.postMessage(0);
      });
    });
    seen.observe(canvas, { childList: true, subtree: true });
    slider.addEventListener('keydown', () => { start = performance.now(); },
                            { capture: true, once: true });
    slider.focus();
  });
}
"""


def everything(family: str) -> str:
    """The names of all blocks down to the second level, those too that no level opens."""
    children = results.graph(Workload(zoo.family(family).design())).root.children
    blocks = [*children, *(below for child in children for below in child.children)]
    return quote(",".join(block.id for block in blocks if block.children))


def pressed(page: Any, slider: str, key: str) -> tuple[float, float]:
    """One trial: (milliseconds to the painted picture, those of them from its arrival on)."""
    page.evaluate_handle(
        "(given) => { window.trial = (" + WATCH + ")(given); }", [slider]
    ).dispose()
    page.keyboard.press(key)
    painted, busy = page.evaluate("window.trial")
    return painted, busy


def where(page: Any) -> tuple[float, float, float]:
    """Where the selected box is on the screen (its middle, its top), and the zoom."""
    box = page.locator(".graph .node.selected").first.bounding_box()
    zoom = float(page.locator(".graph").get_attribute("data-view").split()[2])
    return box["x"] + box["width"] / 2, box["y"], zoom


@pytest.mark.parametrize(
    ("query", "slider", "bar_ms"),
    [
        ("family=vit&preset=ViT-B/16", slider_of("vit.depth"), 150),
        ("family=detr&encoder_depth=1", slider_of("detr.encoder_depth"), 150),
        (f"family=mask_rcnn&open={everything('mask_rcnn')}", IMAGE_SIZE, 400),
    ],
    ids=["vit", "detr", "600 boxes, all of them new"],
)
def test_the_graph_follows_a_slider(
    open_page: Any,  # noqa: F811
    address: str,  # noqa: F811
    echo: str,  # noqa: F811
    query: str,
    slider: str,
    bar_ms: float,
) -> None:
    studio, empty = open_page(f"{address}?{query}"), open_page(echo)
    studio.locator(".js-plotly-plot").first.wait_for()
    empty.locator(".figure").wait_for()
    studio.locator(".graph .node").first.click()
    studio.locator(".graph .node.selected").wait_for()
    studio.get_by_role("button", name="Zoom in").click()
    seen = where(studio)
    echoes, shown, busy = [], [], []
    for _ in range(TRIALS + 2):
        studio.wait_for_function(MEASURED)
        studio.wait_for_timeout(1000 * MEASURED_S)
        studio.locator("[data-test-script-state=notRunning]").wait_for()
        echoes.append(press(empty, "input", "ArrowRight", 50)[0])
        painted, within = pressed(studio, slider, "ArrowRight")  # a new design each time
        shown.append(painted)
        busy.append(within)
    base, median = (statistics.median(values[2:]) for values in (echoes, shown))
    boxes = studio.locator(".graph .node").count()
    print(
        f"\n{query[:40]}: {boxes} boxes, {median:.0f} ms (bar {bar_ms:.0f}; quickest "
        f"{min(shown):.0f}), {statistics.median(busy[2:]):.0f} of them in the browser; "
        f"echo {base:.0f} ms, {median / base:.1f} x; load {os.getloadavg()[0]:.1f}"
    )
    assert where(studio) == pytest.approx(seen, abs=1)
    assert studio.locator(".graph .node.selected").count() == 1
    assert median <= bar_ms
