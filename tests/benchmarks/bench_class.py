"""A class on one server: does the page follow its sliders while 40 sessions ask for sweeps at once,
and how long does each wait for its first point?

    python -m pytest tests/benchmarks/bench_class.py -o addopts= -s

Takes about three minutes. The server is a real one; a session is not a browser but a client that
speaks Streamlit's protocol as a browser does: it tells where a slider was put, presses a button,
and asks again for the parts of the page that look again by themselves. A slider's latency is the
time from the message that it was moved to the one with the new count of parameters. The server
keeps a log of what its measuring process was busy with.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from tests.app.conftest import ROOT, wait_for
from tests.benchmarks.visitor import Visitor

SESSIONS, MOVES = 40, 10
PAUSE_S = 8.0  # between two moves of one session in a class: five moves a second
WATCHED_S = 24.0  # after all have asked
PAGES = (
    ("family=vit&preset=ViT-Ti/16", "vit.depth"),
    ("family=resnet&preset=ResNet-18", "resnet.base_channels"),
    ("family=mobilenet&preset=MobileNetV2%201.0", "mobilenet.width_mult"),
)

# The page with a log: when the measuring process was at work, and for which session. A visitor who
# is greedy has a sweep along every axis under way; the page itself gives a session one at a time.
PAGE = """
import json, os
from dataclasses import replace
from time import monotonic

import streamlit as st
from studio.analysis.cost.scaling import axes
from studio.app import session
from studio.app.main import main
from studio.app.tabs import scaling
from studio.process.fair_queue import QueuedCall
from studio.workbench.page.state import FIRST, START

def logged(call, backend, run=QueuedCall.run):
    began = monotonic()
    run(call, backend)
    with open(os.environ["CLASS_LOG"], "a") as log:
        print(json.dumps([call.session, began, monotonic()]), file=log)

if QueuedCall.run.__name__ != "logged":
    QueuedCall.run = logged
if st.query_params.pop("greedy", ""):
    along = [replace(FIRST, axis=axis) for axis in axes(START)]
    st.session_state.greedy = [
        session.bench().sweep(scaling.workloads(now), "", scaling.SWEEP_S, session.name())
        for now in along
    ]
main()
"""


class Served(NamedTuple):
    """A stretch of work of the measuring process, on the clock that all processes share."""

    session: str
    began: float
    ended: float


class Server(NamedTuple):
    port: int
    log: Path

    def served(self) -> list[Served]:
        return [Served(*json.loads(line)) for line in self.log.read_text().splitlines()]


class Class(NamedTuple):
    """What became of 40 visitors: when they asked, how long each waited for its first point, and
    the latency of each one's moves; all in seconds."""

    sessions: Sequence[Visitor]
    asked: float
    waited: Sequence[float]
    moves: Sequence[Sequence[float]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has visited yet, with nothing measured."""
    page, log = tmp_path / "page.py", tmp_path / "log"
    page.write_text(PAGE)
    log.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    given = {"STUDIO_CACHE": str(tmp_path), "CLASS_LOG": str(log), "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=ROOT, env=os.environ | given)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield Server(port, log)
    finally:
        running.terminate()
        running.wait(20)


def visitor(number: int, alike: bool) -> Visitor:
    """One of a class; where half of it is `alike`, every other one has the first page as it is."""
    if alike and number % 2 == 0:
        return Visitor(*PAGES[0])
    link, knob = PAGES[number % len(PAGES)]
    return Visitor(f"{link}&num_classes={100 + number}", knob)


async def alone(port: int) -> dict[str, float]:
    """The latency of a slider on each page, in seconds, with nobody else there."""
    found = {}
    for number, (_, knob) in enumerate(PAGES):
        session = Visitor(f"{PAGES[number][0]}&num_classes=99", knob)
        await session.open(port)
        await session.settle()
        found[knob] = statistics.median([await moved(session) for _ in range(MOVES)])
        await session.close()
    return found


async def moved(session: Visitor, pause_s: float = 2.0) -> float:
    await asyncio.sleep(pause_s)
    return await session.move()


async def together(port: int, alike: bool) -> Class:
    """A class that opens its pages, asks for its sweeps at once, and goes on moving sliders."""
    sessions = [visitor(number, alike) for number in range(SESSIONS)]
    for session in sessions:
        await session.open(port)
    for session in sessions:
        await session.settle()
    greedy = Visitor(PAGES[0][0] + "&greedy=yes", PAGES[0][1])
    await greedy.open(port)
    asked = monotonic()
    order = random.Random(0)
    moving = [asyncio.create_task(restless(s, 1 + order.random() * PAUSE_S)) for s in sessions]
    waited = await asyncio.gather(*(session.sweep() for session in sessions))
    moves = await asyncio.gather(*moving)
    for session in (*sessions, greedy):
        await session.close()
    return Class(sessions, asked, waited, moves)


async def restless(session: Visitor, first_s: float) -> list[float]:
    """A hand that moves the slider now and then."""
    end, pause_s, found = monotonic() + WATCHED_S, first_s, []
    while monotonic() + pause_s < end:
        found.append(await moved(session, pause_s))
        pause_s = PAUSE_S
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("alike", [True, False], ids=["half ask for the same", "all differ"])
def test_a_class_asks_for_sweeps(server: Server, alike: bool) -> None:
    idle = asyncio.run(alone(server.port))
    found = asyncio.run(together(server.port, alike))
    told = ", ".join(f"{knob} {1e3 * s:.0f} ms" for knob, s in idle.items())
    print(f"\na slider of one session alone, median of {MOVES}: {told}")
    ratio = tell_moves(found, idle)
    spent = tell_points(found, server.served())
    assert ratio <= 3
    assert not alike or spent <= 1


def tell_moves(found: Class, idle: Mapping[str, float]) -> float:
    """Print the latency of sliders in the class; the worst session's ratio to one alone."""
    middles, ratios, moves = [], [], []
    for session, latencies in zip(found.sessions, found.moves, strict=True):
        middles.append(statistics.median(latencies))
        ratios.append(middles[-1] / idle[session.knob])
        moves += [(latency, latency / idle[session.knob]) for latency in latencies]
    middle, (worst_s, worst) = statistics.median(ratios), max(moves)
    print(
        f"in the class, {len(moves)} moves: the median session"
        f" {1e3 * statistics.median(middles):.0f} ms, {middle:.1f} x;"
        f" the worst session {max(ratios):.1f} x (bar 3); the worst move {1e3 * worst_s:.0f} ms,"
        f" {worst:.1f} x"
    )
    return max(ratios)


def tell_points(found: Class, served: Sequence[Served]) -> float:
    """Print how long the first points took; the measuring time before the median session's."""
    names = [
        {other.name for other in found.sessions if other.link == session.link}
        for session in found.sessions
    ]
    ready = [first(served, group, found.asked) for group in names]
    spent = [spent_by(served, found.asked, point) for point in ready]
    waited, worked = (
        f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s"
        for times in (found.waited, spent)
    )
    print(f"the first point on the page after: {waited}; measuring time before it: {worked}")
    return statistics.median(spent)


def first(served: Sequence[Served], names: Collection[str], asked: float) -> float:
    """When the first point of a group of sessions that share a sweep was ready."""
    return min(call.ended for call in served if call.session in names and call.began > asked)


def spent_by(served: Sequence[Served], start: float, end: float) -> float:
    """How long the measuring process was at work between the two, building included."""
    return sum(max(0.0, min(end, call.ended) - max(start, call.began)) for call in served)
