"""The page without a browser (AppTest), and with one: a real server, a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from studio.app import session
from studio.app.session import RUNS, Session, StreamlitRuns
from studio.workbench.jobs.layer_times import Times
from studio.workbench.jobs.sizing_process import InPlace
from studio.workbench.page.state import State
from studio.workbench.pending import NotAsked, Pending, Ready, Waiting
from studio.workbench.workbench import Workbench
from studio.workbench.workload import Workload

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "studio" / "app" / "main.py"
PANEL = "a panel"  # the name that a browser gives to it
FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)


class StillWorkbench(Workbench):
    """Measures nothing by itself, and remembers what it was asked: no worker process beside a test.

    `times` are the times of layers by workload, of which those without any are under way.
    """

    rest_s = float("inf")
    first_paint_s = 0.0

    def __init__(self) -> None:
        super().__init__(RUNS, sizing=lambda session: InPlace())
        self.calibrated: list[Workload] = []
        self.started: list[Workload] = []
        self.times: dict[Workload, Times] = {}

    def start_calibration(self, workload: Workload, session: str = "") -> None:
        self.calibrated.append(workload)

    def layer_times(self, workload: Workload) -> Pending[Times]:
        times = self.times.get(workload)
        if times is None:
            return NotAsked()
        return Ready(times) if times else Waiting()

    def known_layer_times(self, workload: Workload) -> Times:
        return self.times.get(workload, {})

    def start_layer_times(
        self, workload: Workload, session: str = "", limit_s: float | None = None
    ) -> None:
        self.started.append(workload)

    def forget(self, workloads: tuple[Workload, ...]) -> None:
        for workload in workloads:
            self.measurements.forget(workload)
            self.times.pop(workload, None)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> StillWorkbench:
    """The workbench of the pages of a test."""
    made = StillWorkbench()
    monkeypatch.setattr(session, "shared_workbench", lambda: made)
    return made


@pytest.fixture
def still(bench: StillWorkbench) -> None:
    """Nothing is measured by itself."""


@pytest.fixture
def app(still: None) -> AppTest:
    """The page as a new visitor sees it."""
    return AppTest.from_file(str(MAIN), default_timeout=60).run()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A server that runs the page with the project's own configuration."""
    with served(MAIN) as url:
        yield url


@contextmanager
def served(script: Path) -> Iterator[str]:
    """A server of this script with the project's own configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url: str, limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"no answer from {url} after {limit_s:g} s")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium. Without one the test is skipped, but in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no chromium on the path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Any]:
    """Opens pages, and fails the test for any console error and any request to another machine."""
    contexts, faults = [], []

    def opened(
        url: str, width: int = 1366, height: int = 900, scheme: str = "light", touch: bool = False
    ) -> Any:
        viewport = {"width": width, "height": height}
        context = chromium.new_context(viewport=viewport, color_scheme=scheme, has_touch=touch)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: faults.append(r.url) if is_outside(r.url) else None)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))


def visited(link: Mapping[str, str]) -> AppTest:
    """The page that a link opens."""
    app = AppTest.from_file(str(MAIN), default_timeout=120)
    for name, value in link.items():
        app.query_params[name] = value
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def graph(app: AppTest) -> dict[str, Any]:
    """What the page sends to the browser of its layer graph."""
    (found,) = (data for _, data in components(app) if "svg" in data)
    return found


def components(app: AppTest) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page sends to the browser of its components, each with its id."""
    for component in app.get("bidi_component"):
        yield component.proto.id, json.loads(component.proto.json)


def panels(app: AppTest) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page sends to the browser of its knob panels, each with its id."""
    return ((id, data) for id, data in components(app) if "sections" in data)


def rows_of(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of a panel by their ids, those in groups too."""
    rows = [row for section in data["sections"] for row in section["rows"]]
    rows += [inner for row in rows for inner in row.get("rows", ())]
    return {row["id"]: row for row in rows}


def knob_row(app: AppTest, row: str) -> dict[str, Any]:
    """What a row of a knob panel shows."""
    (found,) = (rows_of(data)[row] for _, data in panels(app) if row in rows_of(data))
    return found


def turn(app: AppTest, row: str, value: object) -> AppTest:
    """A knob turned in its panel, and the page run, as a browser reports it."""
    (found,) = ((id, data) for id, data in panels(app) if row in rows_of(data))
    serial = found[1]["applied"].get(PANEL, 0) + 1
    return report(app, found[0], {"serial": serial, "row": row, "value": value})


def report(app: AppTest, panel: str, *moves: object) -> AppTest:
    """A browser reports moves of a panel, and the page runs."""
    return tell(app, panel, {"moves": {"panel": PANEL, "moves": moves}})


def hover(app: AppTest, row: str, at: float) -> dict[str, Any]:
    """What the page sends of the values of a slider once the pointer is on it."""
    (table,) = (id for id, data in components(app) if "landings" in data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamlitRuns, "is_fragment", lambda runs: True)
        tell(app, table, {"want": {"row": row, "at": at, "number": 1}})
    (found,) = (data for _, data in components(app) if "landings" in data)
    return found


def tell(app: AppTest, component: str, state: object) -> AppTest:
    """A browser reports the state of a component, and the page runs."""
    told = app._tree.get_widget_states()
    told.widgets.append(WidgetState(id=component, json_value=json.dumps(state)))
    app._run(told)
    assert not app.exception
    return app


def session_of(app: AppTest) -> Session:
    found: Session = app.session_state["session"]
    return found


def state(app: AppTest) -> State:
    return session_of(app).state


def put(app: AppTest, state: State) -> None:
    """Another state, of which the page's link does not tell."""
    session_of(app).state = state


def slider(page: Any, row: str) -> Any:
    """The slider of a row of a knob panel."""
    return page.locator(f'[data-knob="{row}"] input[type=range]')


def switch(page: Any, row: str) -> Any:
    """The switch of a row of a knob panel."""
    return page.locator(f'[data-knob="{row}"] input[role=switch]')


def pressed(slider: Any, key: str) -> None:
    """A key pressed on a slider until the page's link tells of it.

    Once more after ten seconds, as a person would: where the machine stalls, the first press can
    fall on a page that is just being replaced.
    """
    from playwright.sync_api import TimeoutError as Late

    before = slider.page.url
    slider.press(key)
    try:
        slider.page.wait_for_url(lambda url: url != before, timeout=10_000)
    except Late:
        slider.press(key)
        slider.page.wait_for_url(lambda url: url != before)
