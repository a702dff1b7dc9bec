"""The measured headline figure: it measures by itself, in another process, once the hand rests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from itertools import chain
from time import monotonic

import streamlit as st

from studio import admission
from studio.analysis import units
from studio.app import session
from studio.app.controls.session_sweep import sweeping
from studio.app.header.headline import card, change, note
from studio.app.markup import html
from studio.app.session import State
from studio.bench.idle_latency import run_to_run_deviation
from studio.bench.results import Measurement
from studio.bench.sweep import Point
from studio.reporting import latency_text
from studio.workbench import results
from studio.workbench.measurements import LEDGER, Watch, is_quick, look_s, obstacle
from studio.workbench.predicted_latency import begin_calibration
from studio.workbench.priority import PRECEDENCE
from studio.workbench.retries import Retries
from studio.workbench.workload import Case

AGAIN, BUSY = ":material/refresh:", "Measure again: the machine was busy"
REST_S = 0.5  # after the last change, before measuring
TITLES = {"inference": "Measured latency", "training": "Measured training step"}
CARD = {"inference": "Latency", "training": "Training step"}
ASKED = "Large model: press Benchmark"
LATE = "Slow model, about {0} s to time: press Benchmark"
HOURS_S = 2 * 3600.0  # that nobody waits for a figure
MEASURING = {False: "measuring on this machine …", True: "compiling, which may take minutes …"}
RETRIED = "It is measured again when the machine is quiet"
DAYS = 30  # that are counted; what is older has a date
LOOK_S = 0.4  # between two looks at a measurement under way, at the least
QUIET_LOOK_S = 10.0  # and at whether the machine is quiet by now


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
    retries: Retries = field(default_factory=Retries)

    def step(self, ready: bool) -> None:
        """Start measuring once the case has rested, or once more when the machine is quiet; look at
        what is under way."""
        if self.watch and not self.watch.look():
            self.watch = None  # an old measurement must not overwrite newer figures
        if self.watch or not ready or monotonic() - self.since < REST_S:
            return
        point = LEDGER[self.case]
        if point is None or (is_loaded(point) and self.retries.is_due(monotonic())):
            begin_calibration(self.case)
            limit_s = limit(self.case) if self.asked else None
            self.watch = Watch((self.case,), session=self.session, limit_s=limit_s)


def is_loaded(point: Point) -> bool:
    return isinstance(point, Measurement) and point.clean is False


def limit(case: Case) -> float:
    """What a measurement may take that somebody has pressed for, in seconds."""
    shortest = admission.duration_s(case.design, case.conditions)
    known = case.conditions.limit_s
    return max(known, admission.round_limit_s(shortest)) if shortest else known


def hindrance(case: Case) -> str:
    """Why it cannot be measured however long it may take; empty where it can."""
    return obstacle(case, HOURS_S)


def latency(now: State) -> None:
    """The figure's card, which looks again by itself as long as there is none, or a sweep of this
    session may bring a better one."""
    patience = _patience(now.case)
    point = LEDGER[now.case]
    waits = point is None and _ready(patience)
    looks = look_s(LOOK_S) if waits or sweeping().watch is not None else None
    if looks is None and is_loaded(point) and patience.retries.left:
        looks = look_s(QUIET_LOOK_S)
    st.fragment(run_every=looks)(_card)(now, patience, waits)


def _patience(case: Case) -> Patience:
    mine: Patience | None = st.session_state.get("patience")
    if mine is None or mine.case != case:
        watch = mine.watch if mine else None
        mine = Patience(case, monotonic(), session.session(), watch=watch)
        st.session_state.patience = mine
    return mine


def _ready(patience: Patience) -> bool:
    case = patience.case
    if patience.asked:
        return not hindrance(case)
    return is_quick(results.profiled(case)) and not obstacle(case)


@PRECEDENCE.after()
def _card(now: State, patience: Patience, waits: bool) -> None:
    before = LEDGER[now.case]
    patience.step(_ready(patience))
    point = LEDGER[now.case]
    if (waits and point is not None) or (is_loaded(before) and not is_loaded(point)):
        session.again()  # the whole page: it stops looking, and draws the point on its charts
    why = hindrance(now.case)
    offers = not (waits or why or isinstance(point, Measurement))
    value, words = "…" if waits else "—", iter([""])
    match point:
        case Measurement():
            value, band, seen = latency_text.format_latency(point, now.case.device)
            words = chain([line(band if seen else spread(point, now.case.device))], notes(now))
        case None:
            words = iter(
                [line(why or (offer(now.case) if offers else MEASURING[now.case.compiled]))]
            )
        case error:
            words = iter([line(str(error))])
    kind = "figure short" if offers else "figure"
    html(f'<div class="figures one">{card(CARD[now.case.mode], value, words, kind)}</div>')
    if offers:
        pressed = st.button("Benchmark", key="measure", help=_allowed(now.case), width="stretch")
    else:
        pressed = is_loaded(point) and st.button(AGAIN, key="again", help=BUSY, type="tertiary")
    if pressed:
        LEDGER.forget(now.case)
        patience.asked = True
        session.again()


def _allowed(case: Case) -> str:
    return f"Takes up to {units.seconds(limit(case))}"


def offer(case: Case) -> str:
    """What a press is asked for."""
    if not admission.time_problem(case.design, case.conditions):
        return ASKED
    return LATE.format(f"{admission.duration_s(case.design, case.conditions):,.0f}")


def line(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def notes(now: State) -> Iterator[str]:
    """The change against the previous and pinned cases, and how it was measured."""
    here = LEDGER[now.case]
    assert isinstance(here, Measurement)
    for case, label in now.others:
        if isinstance(there := LEDGER[case], Measurement):
            told = change(here.median_s, there.median_s, units.seconds)
            yield line(f"within noise of {label}") if is_noise(here, there) else note(told, label)
    told = conditions(here, now.case.threads)  # a narrow card cuts it short
    shown, why = escape(told), ""
    if is_loaded(here):  # the device is in the tooltip: there is no room for another line
        shown = f"<strong>under load</strong> {escape(units.seconds(here.median_s))}"
        why = f"The machine was busy: {spread(here, now.case.device)}. {RETRIED}; "
    yield f'<p title="{escape(why + told)}; {escape(in_full(here))}">{shown}</p>'


def is_noise(one: Measurement, other: Measurement) -> bool:
    """Whether two figures may differ by chance: their middle halves overlap, or the machine was too
    busy for one of them."""
    overlap = one.q25_s <= other.q75_s and other.q25_s <= one.q75_s
    return overlap or one.clean is False or other.clean is False


def spread(point: Measurement, device: str) -> str:
    """The middle half of the runs, under the median's own unit, and how far runs lie apart."""
    half = f"IQR {units.seconds(point.q25_s)} to {units.seconds(point.q75_s)}"
    apart = run_to_run_deviation(point, device)
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
