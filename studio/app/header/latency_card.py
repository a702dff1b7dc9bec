"""Latency card: starts a measurement in the worker process 0.5 s after the last change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from typing import Any

import streamlit as st

from studio import measurable
from studio.analysis import units
from studio.app import session
from studio.app.pending import poll
from studio.app.preview.cards import card, figure_cards
from studio.bench.idle_latency import run_to_run_deviation
from studio.bench.results import Measurement
from studio.bench.sweep import Point
from studio.reporting import latency_text
from studio.workbench import results
from studio.workbench.jobs.auto_benchmark import AutoBenchmark, is_loaded
from studio.workbench.jobs.benchmarkable import is_quick, obstacle
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.page.figures import change, change_line
from studio.workbench.page.state import State
from studio.workbench.pending import Pending, Ready, Waiting
from studio.workbench.workload import Workload

AGAIN, BUSY = ":material/refresh:", "Benchmark again: the machine was busy"
TITLES = {"inference": "Measured latency", "training": "Measured training step"}
CARD = {"inference": "Latency", "training": "Training step"}
ASKED = "Large model: press Benchmark"
LATE = "Slow model: about {0} s to time"
HOURS_S = 2 * 3600.0  # more than any measurement takes
MEASURING = {False: "benchmarking …", True: "compiling, which may take minutes …"}
RETRIED = "It is benchmarked again when the machine is idle"
DAYS = 30  # that are counted; what is older has a date
POLL_S = 0.4  # of a measurement under way, at the least
QUIET_POLL_S = 10.0  # of whether the machine is quiet by now


def limit(workload: Workload) -> float:
    """Time limit in seconds of a measurement that the user starts."""
    shortest = measurable.duration_s(workload.design, workload.conditions)
    known = workload.conditions.limit_s
    return max(known, measurable.round_limit_s(shortest)) if shortest else known


def measuring_obstacle(workload: Workload) -> str:
    """Why it cannot be measured, whatever the time limit; empty if it can."""
    return obstacle(workload, HOURS_S)


def explained_obstacle(workload: Workload) -> Pending[str]:
    """The same with the nearest workload that can be measured, which may take seconds to find."""
    if not measuring_obstacle(workload):
        return Ready("")
    return session.bench().explain_obstacle(workload, HOURS_S, session.name())


def obstacle_text(workload: Workload) -> str:
    """Why it is not benchmarked automatically, with the nearest workload that can be measured once
    that is found; empty if it is."""
    found = explained_obstacle(workload)
    return (found.value if isinstance(found, Ready) else "") or obstacle(workload)


def latency_card(now: State) -> None:
    """The card; polls until there is a measurement, and while this session's sweep or a retry may
    bring a better one."""
    bench, benchmark = session.bench(), _benchmark(now.workload)
    point = bench.point(now.workload)
    every_s = bench.poll_s(POLL_S)
    if point is not None and is_loaded(point) and session.mine().sweep.job is None:
        every_s = bench.poll_s(QUIET_POLL_S)
    poll(lambda: _card(now), lambda: _is_waiting(now.workload, benchmark), every_s)


def _benchmark(workload: Workload) -> AutoBenchmark:
    """The automatic benchmark of this workload; a running job of the previous one continues."""
    mine = session.mine()
    if mine.benchmark is None or mine.benchmark.workload != workload:
        job = mine.benchmark.job if mine.benchmark else None
        mine.benchmark = AutoBenchmark(workload, job=job)
    return mine.benchmark


def _is_waiting(workload: Workload, benchmark: AutoBenchmark) -> bool:
    """Whether a first or a better measurement is expected. Takes over finished measurements."""
    bench, before = session.bench(), session.bench().point(workload)
    may_start = _may_start(benchmark)
    rests = benchmark.is_asked or not bench.arrivals.is_loading(benchmark.since_s)
    benchmark.update(
        before, lambda: _start(benchmark), may_start=may_start and rests, rest_s=bench.rest_s
    )
    point = bench.point(workload)
    if is_news(before, point):
        session.rerun_page()  # the whole page, which draws the point on its charts
    waits = point is None and may_start
    retries = benchmark.retries.left > 0 or benchmark.job is not None
    return (
        waits
        or (point is None and isinstance(explained_obstacle(workload), Waiting))
        or (may_start and is_loaded(point) and retries)
        or session.mine().sweep.update() is not None
    )


def is_news(before: Point, point: Point) -> bool:
    """Whether a point is the first one, or the first that was not measured under load."""
    return (before is None and point is not None) or (is_loaded(before) and not is_loaded(point))


def _start(benchmark: AutoBenchmark) -> Sweep:
    bench, workload = session.bench(), benchmark.workload
    bench.start_calibration(workload, session.name())
    limit_s = limit(workload) if benchmark.is_asked else None
    return bench.sweep((workload,), session=session.name(), limit_s=limit_s)


def _may_start(benchmark: AutoBenchmark) -> bool:
    workload = benchmark.workload
    if benchmark.is_asked:
        return not measuring_obstacle(workload)
    return is_quick(results.profile_of(workload)) and not obstacle(workload)


def _card(now: State) -> None:
    workload = now.workload
    point = session.bench().point(workload)
    waits = point is None and _may_start(_benchmark(workload))
    why = measuring_obstacle(workload)
    offers = not (waits or why or isinstance(point, Measurement))
    value = "…" if waits else "—"
    words: Iterable[str]
    match point:
        case Measurement():
            value, band, seen = latency_text.format_latency(point, workload.device)
            band = band if seen else spread_text(point, workload.device)
            words = (paragraph(band), *change_lines(now))
        case None if why:
            words = (paragraph(obstacle_text(workload)),)
        case None:
            words = (
                paragraph(benchmark_offer(workload) if offers else MEASURING[workload.compiled]),
            )
        case error:
            words = (paragraph(str(error)),)
    kind = "figure short" if offers else "figure"
    body = card(CARD[workload.mode], value, words, kind)
    figure_cards(f'<div class="figures one">{body}</div>', "latency")
    press: dict[str, Any] = {"on_click": _start_again, "args": (workload,)}
    if offers:
        st.button("Benchmark", key="measure", help=_limit_text(workload), width="stretch", **press)
    elif is_loaded(point):
        st.button(AGAIN, key="again", help=BUSY, type="tertiary", **press)


def _start_again(workload: Workload) -> None:
    """Benchmark a workload, also where it has a measurement or is a large one."""
    session.request_page()
    session.bench().measurements.forget(workload)
    _benchmark(workload).is_asked = True


def _limit_text(workload: Workload) -> str:
    return f"Takes up to {units.seconds(limit(workload))}"


def benchmark_offer(workload: Workload) -> str:
    """Why the user has to press Benchmark."""
    if not measurable.time_problem(workload.design, workload.conditions):
        return ASKED
    return LATE.format(f"{measurable.duration_s(workload.design, workload.conditions):,.0f}")


def paragraph(text: str) -> str:
    """A line of the card; the tooltip has what a narrow card cuts."""
    return f'<p title="{escape(text)}">{escape(text)}</p>'


def change_lines(now: State) -> Iterator[str]:
    """The change against the previous and pinned workloads, and how it was measured."""
    here = session.bench().point(now.workload)
    assert isinstance(here, Measurement)
    for workload, label in now.others:
        if isinstance(there := session.bench().point(workload), Measurement):
            difference = change(here.median_s, there.median_s, units.seconds)
            yield (
                paragraph(f"within noise of {label}")
                if is_noise(here, there)
                else change_line(difference, label)
            )
    details = conditions_text(here, now.workload.threads_text)  # a narrow card cuts it short
    shown, why = escape(details), ""
    if is_loaded(here):  # the device is in the tooltip: there is no room for another line
        shown = f"<strong>under load</strong> {escape(units.seconds(here.median_s))}"
        why = f"The machine was busy: {spread_text(here, now.workload.device)}. {RETRIED}; "
    yield f'<p title="{escape(why + details)}; {escape(all_details(here))}">{shown}</p>'


def is_noise(one: Measurement, other: Measurement) -> bool:
    """Whether two latencies may differ by chance: their interquartile ranges overlap, or one was
    measured under load."""
    overlap = one.q25_s <= other.q75_s and other.q25_s <= one.q75_s
    return overlap or one.clean is False or other.clean is False


def spread_text(point: Measurement, device: str) -> str:
    """The interquartile range, and the run-to-run deviation where it is known."""
    iqr = f"IQR {units.seconds(point.q25_s)} to {units.seconds(point.q75_s)}"
    deviation = run_to_run_deviation(point, device)
    return iqr if deviation is None else f"{iqr}; ±{deviation:.0%} between runs"


def conditions_text(point: Measurement, threads: str = "") -> str:
    when = age_text(point)
    words = [
        f"measured {when}" if when else "",
        short_device_name(point.device),
        threads,
        point.dtype if point.dtype != "float32" else "",
        point.layout if point.layout != "contiguous" else "",
        f"compiled in {units.seconds(point.compile_s)}" if point.compile_s else "",
    ]
    return ", ".join(filter(None, words))


def age_text(point: Measurement) -> str:
    """How long ago it was measured, where that was before today: `3 days ago`; empty otherwise."""
    if not point.measured_at:
        return ""
    day = datetime.fromisoformat(point.measured_at).astimezone().date()
    days = (datetime.now().astimezone().date() - day).days
    if days > DAYS:
        return f"on {day}"
    return f"{days} days ago" if days > 1 else "yesterday" if days == 1 else ""


def all_details(point: Measurement) -> str:
    """Every detail of a measurement, for the tooltip."""
    words = [
        point.device,
        f"{point.runs} runs",
        f"95th percentile {units.seconds(point.p95_s)}" if point.p95_s else "",
        f"first call {units.seconds(point.first_call_s)}",
        f"CPU time {units.seconds(point.cpu_s)}" if point.cpu_s else "",
        f"{point.throughput:.3g} examples a second",
        f"torch {point.torch_version}",
        f"measured at {point.measured_at}" if point.measured_at else "",
    ]
    return "; ".join(filter(None, words))


def short_device_name(device: str) -> str:
    """A processor's name without its marks: `Intel Xeon Platinum 8481C`."""
    plain = device.replace("(R)", "").replace("(TM)", "").split("@")[0].split(" CPU")[0]
    return " ".join(plain.removesuffix("Processor").split())
