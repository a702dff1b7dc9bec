"""The measured headline figure: it measures by itself, in another process, once the hand rests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from time import monotonic

import streamlit as st

from studio.analysis import units
from studio.app import figures, state
from studio.app.case import Case
from studio.app.expected import begin_calibration
from studio.app.headline import card, change, note
from studio.app.ledger import LEDGER, Watch, between_runs, is_quick, look_s, obstacle
from studio.app.markup import html
from studio.app.precedence import PRECEDENCE
from studio.app.state import State
from studio.app.sweeping import sweeping
from studio.measure.request import Measurement

AGAIN, BUSY = ":material/refresh:", "Measure again: the machine was busy"
REST_S = 0.5  # after the last change, before measuring
TITLES = {"inference": "Measured latency", "training": "Measured training step"}
ASKED = "large: measured when asked"
MEASURING = {False: "measuring on this machine …", True: "compiling, which may take minutes …"}
DAYS = 30  # that are counted; what is older has a date
LOOK_S = 0.4  # between two looks at a measurement under way, at the least


@dataclass
class Patience:
    """What this session waits for: the case on the page since when, and the watch under way.

    One measurement at a time for a session, so that a slider that is dragged on leaves no queue.
    """

    case: Case
    since: float
    session: str = ""
    asked: bool = False
    watch: Watch | None = None

    def step(self, ready: bool) -> None:
        """Start measuring once the case has rested; look at what is under way."""
        if self.watch and not self.watch.look():
            self.watch = None  # an old measurement must not overwrite newer figures
        rested = monotonic() - self.since >= REST_S
        if not self.watch and ready and rested and LEDGER[self.case] is None:
            begin_calibration(self.case)
            self.watch = Watch((self.case,), session=self.session)


def latency(now: State) -> None:
    """The figure's card, which looks again by itself as long as there is none, or a sweep of this
    session may bring a better one."""
    patience = _patience(now.case)
    waits = LEDGER[now.case] is None and _ready(patience)
    looks = waits or sweeping().watch is not None
    st.fragment(run_every=look_s(LOOK_S) if looks else None)(_card)(now, patience, waits)


def _patience(case: Case) -> Patience:
    mine: Patience | None = st.session_state.get("patience")
    if mine is None or mine.case != case:
        watch = mine.watch if mine else None
        mine = Patience(case, monotonic(), state.session(), watch=watch)
        st.session_state.patience = mine
    return mine


def _ready(patience: Patience) -> bool:
    profile = figures.profiled(patience.case)
    return not obstacle(patience.case) and (patience.asked or is_quick(profile))


@PRECEDENCE.after()
def _card(now: State, patience: Patience, waits: bool) -> None:
    patience.step(_ready(patience))
    point = LEDGER[now.case]
    if waits and point is not None:
        state.again()  # the whole page, so that it stops looking and draws the point on its charts
    why = obstacle(now.case)
    loaded = isinstance(point, Measurement) and point.clean is False
    offers = not (waits or why or isinstance(point, Measurement))
    match point:
        case Measurement():
            value, words = units.seconds(point.median_s), notes(now)
        case None:
            value = "…" if waits else "—"
            words = iter([line(why or (ASKED if offers else MEASURING[now.case.compiled]))])
        case error:
            value, words = "—", iter([line(str(error))])
    kind = "figure short" if offers else "figure"
    html(f'<div class="figures one">{card(TITLES[now.case.mode], value, words, kind)}</div>')
    asked = offers and st.button("Measure it", key="measure", width="stretch")
    if asked or (loaded and st.button(AGAIN, key="again", help=BUSY, type="tertiary")):
        LEDGER.forget(now.case)
        patience.asked = True
        state.again()


def line(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def notes(now: State) -> Iterator[str]:
    """The spread, how it was measured, and the change against the previous and pinned cases."""
    here = LEDGER[now.case]
    assert isinstance(here, Measurement)
    yield line(spread(here, now.case.device))
    for case, label in now.others:
        if isinstance(there := LEDGER[case], Measurement):
            told = change(here.median_s, there.median_s, units.seconds)
            yield line(f"within noise of {label}") if is_noise(here, there) else note(told, label)
    told = conditions(here, now.case.threads)  # a narrow card cuts it short
    load = "<strong>under load</strong>, " if here.clean is False else ""
    yield f'<p title="{escape(told)}; {escape(in_full(here))}">{load}{escape(told)}</p>'


def is_noise(one: Measurement, other: Measurement) -> bool:
    """Whether two figures may differ by chance: their middle halves overlap, or the machine was too
    busy for one of them."""
    overlap = one.q25_s <= other.q75_s and other.q25_s <= one.q75_s
    return overlap or one.clean is False or other.clean is False


def spread(point: Measurement, device: str) -> str:
    """The middle half of the runs, under the median's own unit, and how far runs lie apart."""
    half = f"{units.seconds(point.q25_s)} to {units.seconds(point.q75_s)} (middle half)"
    apart = between_runs(point, device)
    return half if apart is None else f"{half}; ±{apart:.0%} between runs"


def conditions(point: Measurement, threads: str = "") -> str:
    when = age(point)
    words = [
        f"measured {when}" if when else "",
        short(point.device),
        threads,
        point.dtype if point.dtype != "float32" else "",
        point.layout if point.layout != "contiguous" else "",
        f"compiled in {units.seconds(point.compile_s)}" if point.compile_s else "",
    ]
    return ", ".join(filter(None, words))


def age(point: Measurement) -> str:
    """How long ago it was measured, where that was before today: `3 days ago`; empty otherwise."""
    if not point.measured_at:
        return ""
    day = datetime.fromisoformat(point.measured_at).astimezone().date()
    days = (datetime.now().astimezone().date() - day).days
    if days > DAYS:
        return f"on {day}"
    return f"{days} days ago" if days > 1 else "yesterday" if days == 1 else ""


def in_full(point: Measurement) -> str:
    """All that a measurement tells, for those who ask."""
    words = [
        point.device,
        f"{point.runs} runs",
        f"95 % of them below {units.seconds(point.p95_s)}" if point.p95_s else "",
        f"first call {units.seconds(point.first_call_s)}",
        f"CPU time {units.seconds(point.cpu_s)}" if point.cpu_s else "",
        f"{point.throughput:.3g} examples a second",
        f"torch {point.torch_version}",
        f"measured at {point.measured_at}" if point.measured_at else "",
    ]
    return "; ".join(filter(None, words))


def short(device: str) -> str:
    """A processor's name without its marks: `Intel Xeon Platinum 8481C`."""
    plain = device.replace("(R)", "").replace("(TM)", "").split("@")[0].split(" CPU")[0]
    return " ".join(plain.removesuffix("Processor").split())
