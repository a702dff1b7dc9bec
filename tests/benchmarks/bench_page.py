"""How fast the page follows a slider, as a ratio to an empty Streamlit page on the same machine.

    python -m pytest tests/benchmarks/bench_page.py -o addopts= -s

Each trial is one key press on a slider in headless Chromium; the clock runs in the page, from the
key to the first frame in which the new figure is there, and on to the last change of the graph, the
chart and the rows of a composition. The empty page echoes its slider's value. The two pages take
turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.conftest import (
    ROOT,
    address,  # noqa: F401 - fixtures
    chromium,  # noqa: F401
    open_page,  # noqa: F401
    wait_for,
)

TRIALS = 20
ECHO = """
import streamlit as st

value = st.slider("value", 0, 1000, 500, key="value")
st.html(f"<div class='figure'><b>{value}</b></div>")
"""

# In the page: press a key, then say when the figure was new and when all else was last new.
WATCH = """
([input, quiet]) => {
  const roots = [document, ...[...document.querySelectorAll('*')].map((one) => one.shadowRoot)];
  const slider = roots.map((root) => root?.querySelector(input)).find(Boolean);
  const figure = () => document.querySelector('.figure b')?.textContent;
  const before = figure();
  const parts = [...document.querySelectorAll('.js-plotly-plot, .st-key-stage-list')];
  for (const host of document.querySelectorAll('*'))
    if (host.shadowRoot) parts.push(host.shadowRoot);
  return new Promise(resolve => {
    let start, shown, last;
    const seen = new MutationObserver(() => { last = performance.now(); });
    const all = { subtree: true, childList: true, characterData: true, attributes: true };
    for (const part of parts) seen.observe(part, all);
    const frame = () => {
      const now = performance.now();
      if (start && !shown && figure() !== before) shown = now;
      if (shown && now - Math.max(shown, last ?? 0) > quiet) {
        seen.disconnect();
        resolve([shown - start, Math.max(shown, last ?? 0) - start]);
      } else requestAnimationFrame(frame);
    };
    slider.addEventListener('keydown', () => { start = performance.now(); last = undefined; },
                            { capture: true, once: true });
    slider.focus();
    requestAnimationFrame(frame);
    window.armed = true;
  });
}
"""


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty page with the studio's own server options."""
    page = tmp_path_factory.mktemp("echo") / "echo.py"
    page.write_text(ECHO)
    port = "8597"
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", port]
    server = subprocess.Popen(command, cwd=ROOT)
    wait_for(f"http://127.0.0.1:{port}/_stcore/health")
    yield f"http://127.0.0.1:{port}/"
    server.terminate()
    server.wait(20)


def slider_of(row: str) -> str:
    """The slider of a row of a knob panel, as a selector in its shadow root."""
    return f"[data-knob='{row}'] input[type=range]"


def press(page: Any, slider: str, key: str, quiet_ms: int) -> tuple[float, float]:
    """One trial: (milliseconds to the new figure, milliseconds to the last change)."""
    watching = page.evaluate_handle(
        "(given) => { window.trial = (" + WATCH + ")(given); }", [slider, quiet_ms]
    )
    watching.dispose()
    page.keyboard.press(key)
    shown, settled = page.evaluate("window.trial")
    return shown, settled


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
    echo: str,
    query: str,
    slider: str,
) -> None:
    studio, empty = open_page(f"{address}?{query}"), open_page(echo)
    studio.locator(".js-plotly-plot, .st-key-stage-list").first.wait_for()
    empty.locator(".figure").wait_for()
    studio.wait_for_timeout(4000)
    figures, settled, echoes = [], [], []
    for trial in range(TRIALS + 2):
        key = "ArrowRight" if trial % 2 else "ArrowLeft"
        echoes.append(press(empty, "input", key, 50)[0])
        shown, last = press(studio, slider, key, 900)  # the graph comes last
        figures.append(shown)
        settled.append(last)
        studio.wait_for_timeout(300)
    base = statistics.median(echoes[2:])
    first, whole = statistics.median(figures[2:]), statistics.median(settled[2:])
    print(
        f"\n{query}: echo {base:.0f} ms, figures {first:.0f} ms ({first / base:.1f} x, bar 3), "
        f"settled {whole:.0f} ms ({whole / base:.1f} x, bar 12)"
    )
    assert first <= 3 * base
    assert whole <= 12 * base
