"""How soon a visitor sees figures and graph, as a ratio to an empty Streamlit page.

    python -m pytest tests/benchmarks/bench_first_visit.py -o addopts= -s

Both servers start anew for every trial, by turns, and are visited as soon as they say that they are
ready: once by the first visitor, then by others, each with an empty browser cache. The clock runs
in the page, from the start of its navigation to the frame that shows the element.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.app.conftest import (
    ROOT,
    chromium,  # noqa: F401 - a fixture
    wait_for,
)
from tests.benchmarks.releases import ECHO

TRIALS, LATER = 3, 3  # servers of each kind; visits of each after the first
BARS = {"figures": 1.3, "graph": 1.6}
# In the page, before anything else: when figures and graph are first there.
WATCH = """
window.seen = {};
const look = () => {
  const now = performance.now();
  const roots = [document, ...[...document.querySelectorAll('*')].map((one) => one.shadowRoot)];
  if (!seen.figures && roots.some((one) => one?.querySelector('.figure b'))) seen.figures = now;
  if (seen.figures && !seen.graph)
    for (const host of document.querySelectorAll('*'))
      if (host.shadowRoot?.querySelector('svg .node')) seen.graph = now;
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@contextmanager
def server(*command: str) -> Iterator[tuple[str, float]]:
    """A server's address, and how many seconds it took until it was ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    port_flag = "--port" if "studio" in command else "--server.port"
    line = [sys.executable, "-m", *command, port_flag, str(port)]
    running = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}/", time.monotonic() - start
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(30)


def visit(browser: Any, url: str, parts: Sequence[str]) -> dict[str, float]:
    """Milliseconds until each of the parts is on the page of a new visitor."""
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    try:
        context.add_init_script(WATCH)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        page.wait_for_function("parts => parts.every((part) => seen[part])", arg=list(parts))
        return {part: page.evaluate("part => seen[part]", part) for part in parts}
    finally:
        context.close()


def test_visitors_wait_hardly_longer_than_for_an_empty_page(
    chromium: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    kinds = {
        "empty": (("streamlit", "run", str(script)), ("figures",)),
        "studio": (("studio", "--headless"), ("figures", "graph")),
    }
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for _ in range(TRIALS):
        for kind, (command, parts) in kinds.items():
            with server(*command) as (url, ready_s):
                times[kind, "start", "ready"].append(1000 * ready_s)
                for number in range(1 + LATER):
                    time.sleep(1.0)  # the visit before is over
                    for part, ms in visit(chromium, url, parts).items():
                        times[kind, "later" if number else "first", part].append(ms)
    middle = {key: statistics.median(found) for key, found in times.items()}
    print(f"\nload {os.getloadavg()[0]:.1f}")
    for kind in kinds:
        print(f"{kind}: ready after {middle[kind, 'start', 'ready']:.0f} ms")
    ratios = {
        (which, part): middle["studio", which, part] / middle["empty", which, "figures"]
        for which in ("first", "later")
        for part in BARS
    }
    for (which, part), ratio in ratios.items():
        ms, base = middle["studio", which, part], middle["empty", which, "figures"]
        print(
            f"{which} visit, {part}: {ms:.0f} ms / {base:.0f} ms = {ratio:.2f} (bar {BARS[part]})"
        )
    assert all(ratio <= BARS[part] for (_, part), ratio in ratios.items())
