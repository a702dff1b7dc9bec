"""How fast the page follows a slider, as a ratio to an empty Streamlit page on the same machine.

    python -m pytest tests/benchmarks/bench_page.py -o addopts= -s

Each trial moves a slider by one value in headless Chromium, by a key or by a drag of the mouse; the
clock runs in the page, from the key or the release to the first frame in which the server's figures
are there, and on to the last change of the graph, the chart, the knobs and the rows of a
composition. The empty page echoes its slider's value. The two pages take turns.
"""

from __future__ import annotations

import os
import statistics
from typing import Any

import pytest

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

TRIALS = 20
QUIET_MS = 900  # after the last change
FIGURES, SETTLED = 1.8, 5.0  # the bars, in echoes


@pytest.mark.parametrize("how", ["key", "mouse"])
@pytest.mark.parametrize(
    ("query", "slider"),
    [
        ("family=vit&preset=ViT-S/16", slider_of("vit.depth")),
        ("family=resnet&preset=ResNet-18", slider_of("resnet.base_channels")),
        ("family=unet", slider_of("unet.base_channels")),
        (
            "view=Compose&family=hybrid&preset=R50%2BViT-B/16&place=stages.1",
            slider_of("hybrid.StandardisedResidual.stages.1.depth"),
        ),
    ],
    ids=["vit", "resnet", "unet", "compose"],
)
def test_the_page_follows_a_slider(
    open_page: Any,  # noqa: F811
    address: str,  # noqa: F811
    echo: str,  # noqa: F811
    query: str,
    slider: str,
    how: How,
) -> None:
    studio, empty = open_page(f"{address}?{query}"), open_page(echo)
    studio.locator(".js-plotly-plot, .st-key-stage-list").first.wait_for()
    empty.locator(".figure").wait_for()
    studio.wait_for_timeout(4000)
    echoes, found = [], []
    for trial in range(TRIALS + 2):
        echoes.append(move(empty, "input", up=trial % 2 == 1).figures)
        found.append(move(studio, slider, trial % 2 == 1, how, QUIET_MS))
        studio.wait_for_timeout(300)
    base = statistics.median(echoes[2:])
    first = statistics.median(one.figures for one in found[2:])
    whole = statistics.median(one.settled for one in found[2:])
    print(
        f"\n{query}, by {how}, load {os.getloadavg()[0]:.1f}: echo {base:.0f} ms, figures"
        f" {first:.0f} ms ({first / base:.2f} x, bar {FIGURES}), settled {whole:.0f} ms"
        f" ({whole / base:.2f} x, bar {SETTLED})"
    )
    assert first <= FIGURES * base
    assert whole <= SETTLED * base
