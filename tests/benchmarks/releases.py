"""A slider of a page moved by one value, by key or by mouse, and what the page then does and when.

The clock runs in the page: from the key, or from the moment the mouse lets go.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.app.conftest import ROOT, wait_for

How = Literal["key", "mouse"]

PORT = 8597
ECHO = """
import streamlit as st

value = st.slider("value", 0, 1000, 500, key="value")
st.html(f"<div class='figure'><b>{value}</b></div>")
"""
THUMB = 8  # pixels from the end of a track to the middle of the thumb there

# In the page: finds elements in shadow roots too.
FIND = """
window.everywhere = (selector) =>
  [document, ...[...document.querySelectorAll('*')].map((one) => one.shadowRoot).filter(Boolean)]
    .flatMap((root) => [...root.querySelectorAll(selector)]);
"""

# In the page: wait for the slider to be moved. Then say when the server's figures were there, when
# the graph was painted and how long after its arrival, and when anything was last new. What a drag
# shows before the server has answered does not count.
WATCH = """
([input, quiet]) => {
  const slider = everywhere(input)[0];
  const [cards] = everywhere('.figure-cards');
  const [canvas] = everywhere('.canvas');
  const texts = () => document.querySelector('.figure b')?.textContent; // of the empty page
  const before = texts();
  const found = {};
  let start, said = false, last;
  const all = { subtree: true, childList: true, characterData: true, attributes: true };
  const observers = [];
  const observe = (part, act, options = all) => {
    if (!part) return;
    const one = new MutationObserver((records) => { if (start) act(records); });
    one.observe(part, options);
    observers.push(one);
  };
  observe(cards, () => { said = true; }, { childList: true }); // the server's, not a preview
  observe(canvas, () => {
    const arrived = performance.now(); // the server's picture comes after a preview of it
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        found.painted = performance.now() - start;
        found.busy = performance.now() - arrived;
      };
      port2.postMessage(0);
    });
  }, { childList: true, subtree: true });
  const parts = [...everywhere('.js-plotly-plot, .st-key-stage-list'), cards, canvas,
    ...everywhere('.knobs')];
  for (const part of parts) observe(part, () => { last = performance.now(); });
  for (const event of ['keydown', 'pointerup'])
    window.addEventListener(event, () => { start ??= performance.now(); },
                            { capture: true, once: true });
  slider.focus();
  return new Promise((resolve) => {
    const frame = () => {
      const now = performance.now();
      const there = cards ? said : texts() !== before;
      if (start && there) found.figures ??= now - start;
      const settled = Math.max((found.figures ?? Infinity) + (start ?? 0), last ?? 0);
      if (now - settled > quiet) {
        observers.forEach((one) => one.disconnect());
        resolve({ ...found, settled: settled - start });
      } else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}
"""


@dataclass(frozen=True)
class Release:
    """Milliseconds until the server's figures were shown, the graph was painted (0 if it did not
    change) and nothing changed any more, and those that the browser took to paint the graph."""

    figures: float
    settled: float
    painted: float = 0.0
    busy: float = 0.0


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty page with the studio's own server options, which echoes its slider."""
    yield from serve_echo(tmp_path_factory.mktemp("echo") / "echo.py")


def serve_echo(page: Path) -> Iterator[str]:
    page.write_text(ECHO)
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_for(f"http://127.0.0.1:{PORT}/_stcore/health")
        yield f"http://127.0.0.1:{PORT}/"
    finally:
        server.terminate()
        server.wait(20)


def slider_of(row: str) -> str:
    """The slider of a row of a knob panel, as a selector in its shadow root."""
    return f"[data-knob='{row}'] input[type=range]"


def move(page: Any, slider: str, up: bool, how: How = "key", quiet_ms: int = 50) -> Release:
    """Move a slider by one value, and wait until the page has been quiet for a while."""
    if how == "mouse":
        _grab(page, slider, up)
    page.evaluate(FIND)
    watch = "(given) => { window.trial = (" + WATCH + ")(given); }"
    page.evaluate_handle(watch, [slider, quiet_ms]).dispose()
    if how == "mouse":
        page.mouse.up()
    else:
        page.keyboard.press("ArrowRight" if up else "ArrowLeft")
    return Release(**page.evaluate("window.trial"))


def _grab(page: Any, slider: str, up: bool) -> None:
    """Press the thumb, and drag it to the next value."""
    control = page.locator(slider)
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    value, low, high = control.evaluate("s => [s.value, s.min, s.max].map(Number)")
    track, y = box["width"] - 2 * THUMB, box["y"] + box["height"] / 2

    def place(value: float) -> float:
        return float(box["x"] + THUMB + track * (value - low) / (high - low))

    page.mouse.move(place(value), y)
    page.mouse.down()
    page.mouse.move(place(value + (0.5 if up else -0.5)), y)
    page.mouse.move(place(value + (1 if up else -1)), y)
    page.wait_for_timeout(300)
