"""A class whose 60 sessions drag sliders: tables of values on hover, figures after each release.

    python -m pytest tests/benchmarks/bench_dragging_class.py -o addopts= -s
    MINUTES=2 python -m pytest ...      # instead of 15

The server is a real one, and a session is a client that speaks Streamlit's protocol as a browser
does. Every few seconds its pointer comes to a slider, for whose values it waits a second, and then
puts it two steps further. The time is that from the release to the new count of parameters, as a
ratio to a session that is alone on the same server. A third of the class has the same design.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest

from tests.app.conftest import MAIN, ROOT, wait_for
from tests.benchmarks.visitor import Visitor

SESSIONS = 60
MINUTES = float(os.environ.get("MINUTES", "15"))
PAUSE_S, HOVER_S = 9.0, 1.0  # between two drags of a session, and the pointer on the slider
ALONE, SETTLED_S = 12, 8.0  # drags, and the time before them in which the page measures
MEDIAN, HIGH, GROWTH = 3.0, 8.0, 1.1  # the bars: of the median, the 95th percentile, and memory
PAGES = (
    ("family=vit&preset=ViT-Ti/16", "vit.depth"),
    ("family=resnet&preset=ResNet-18", "resnet.base_channels"),
    ("family=mobilenet&preset=MobileNetV2%201.0", "mobilenet.width_mult"),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A server that nobody has visited yet: its port, and the number of its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.port", str(port)]
    given = {"STUDIO_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=ROOT, env=os.environ | given)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield port, running.pid
    finally:
        running.terminate()
        running.wait(20)


@pytest.mark.timeout(3600)
def test_a_class_drags(server: tuple[int, int]) -> None:
    alone, moves, sizes = asyncio.run(lesson(*server))
    idle = statistics.median(alone)
    middle, high = statistics.median(moves), statistics.quantiles(moves, n=20)[-1]
    grown = statistics.fmean(sizes[-3:]) / statistics.fmean(sizes[len(sizes) // 3 :][:3])
    print(
        f"\nload {os.getloadavg()[0]:.1f}; alone {1e3 * idle:.0f} ms; {len(moves)} releases of"
        f" {SESSIONS} sessions: median {middle / idle:.1f} x (bar {MEDIAN:g}), 95th percentile"
        f" {high / idle:.1f} x (bar {HIGH:g}); memory"
        f" {', '.join(f'{size / 1e6:.0f}' for size in sizes)} MB, from the first third on"
        f" {grown:.2f} x (bar {GROWTH:g})"
    )
    assert middle <= MEDIAN * idle
    assert high <= HIGH * idle
    assert grown <= GROWTH


async def lesson(port: int, server: int) -> tuple[list[float], list[float], Sequence[float]]:
    """Seconds after the releases of one session alone and of all, and the bytes of all processes
    of the server, twice a minute."""
    first = await opened(port, 3)
    await asyncio.sleep(SETTLED_S)
    alone = [await drag(first) for _ in range(ALONE)]
    await first.close()
    class_ = [await opened(port, number) for number in range(SESSIONS)]
    end, order = monotonic() + 60 * MINUTES, random.Random(0)
    sizes: list[float] = []
    watching = asyncio.create_task(watch(server, sizes))
    found = await asyncio.gather(*(learn(one, end, order.random() * PAUSE_S) for one in class_))
    watching.cancel()
    for one in class_:
        await one.close()
    return alone, [moved for moves in found for moved in moves], sizes


async def opened(port: int, number: int) -> Visitor:
    link, knob = PAGES[number % len(PAGES)]
    others = "" if number % len(PAGES) == 0 else f"&num_classes={100 + number}"
    visitor = Visitor(f"{link}{others}", knob)
    await visitor.open(port)
    return visitor


async def drag(visitor: Visitor) -> float:
    """The pointer comes to the slider, and lets it go two steps further."""
    await asyncio.sleep(1.0)
    await visitor.hover(HOVER_S)
    return await visitor.move(2)


async def learn(visitor: Visitor, end: float, pause_s: float) -> list[float]:
    found = []
    while monotonic() + pause_s < end:
        await asyncio.sleep(pause_s)
        found.append(await drag(visitor))
        pause_s = PAUSE_S
    return found


async def watch(server: int, sizes: list[float]) -> None:
    while True:
        await asyncio.sleep(30.0)
        sizes.append(sum(map(resident_bytes, family_of(server))))


def family_of(process: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family_of(int(child))


def resident_bytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
