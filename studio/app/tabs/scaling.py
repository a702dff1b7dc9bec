"""The Scaling tab: how parameters, MACs, memory and latency grow along an axis."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio.analysis import units
from studio.analysis.cost.roofline import BANDWIDTH, COMPUTE, OVERHEAD, DeviceLimits
from studio.analysis.cost.scaling import affordable_points, axes, axis_points, position
from studio.analysis.cost.starved_norm import can_train
from studio.app import session
from studio.app.charts import scaling_text
from studio.app.charts.axis_labels import axis_label, knob_label
from studio.app.charts.predicted_curves import predicted_curves
from studio.app.charts.scaling_chart import MEASURED, PALE, Curve, Panel, Unit, chart
from studio.app.header.latency_card import TITLES, age_text, obstacle_text, short_device_name
from studio.app.markup import plain
from studio.app.pending import poll, progress_text
from studio.bench.idle_latency import run_to_run_deviation
from studio.bench.results import Measurement, comparable_seconds
from studio.knobs import DesignError, Knob
from studio.workbench import results
from studio.workbench.jobs.benchmarkable import is_timely, obstacle
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

POLL_S = 0.7  # of a sweep, at the least
SWEEP_S = 6.0  # spent timing, beside building
HEIGHT = 490
WIDE = 60  # characters of axes that fit side by side
DEVICE = [f"{figure.name}, {figure.unit}" for figure in (COMPUTE, BANDWIDTH, OVERHEAD)]
HINT = "press “Benchmark this axis”"


def scaling(now: State) -> None:
    session.bench().start_calibration(now.workload, session.name())
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        axis_chooser(now)
        other = other_device()
    every_s = session.bench().poll_s(POLL_S)
    poll(lambda: _panels(now, other), lambda: session.mine().sweep.update() is not None, every_s)


def other_device() -> DeviceLimits | None:
    """Peak rates of another device, typed in; None if they are incomplete."""
    with st.popover("Another device"):
        st.caption("Data-sheet figures. Good for ranking designs, not for predicting latency.")
        typed = [st.text_input(plain(label), key=f"device.{label}") for label in DEVICE]
        if not any(typed):
            return None
        if not all(typed[:2]):  # the third may be nothing
            st.caption("Enter both compute and bandwidth.")
            return None
        try:
            return DeviceLimits.read(*(text or "0" for text in typed))
        except DesignError as refusal:
            st.caption(f":orange[{plain(refusal)}]")
            return None


def axis_chooser(now: State) -> None:
    """Segmented control if the axis names fit on one line, else a select box."""
    names = {axis: axis_label(now.design, axis) for axis in axes(now.design)}
    key, axis = f"{now.design.family.key}.axis", now.shown_axis
    rules: dict[str, Any] = {"label_visibility": "collapsed", "on_change": _choose, "args": (key,)}
    if sum(map(len, names.values())) + 4 * len(names) <= WIDE:
        shown = session.widget(key, axis, default=axis)
        st.segmented_control(
            "Along which axis",
            list(names),
            format_func=lambda axis: plain(names[axis]),
            required=True,
            **shown,
            **rules,
        )
    else:
        shown = session.widget(key, axis, index=list(names).index(axis))
        st.selectbox(
            "Along which axis",
            list(names),
            format_func=names.__getitem__,
            width=280,
            **shown,
            **rules,
        )


def _choose(key: str) -> None:
    if session.user_changed(key):
        session.commit(replace(session.current(), axis=session.value(key)))


def workloads(now: State) -> tuple[Workload, ...]:
    count = affordable_points(results.profile_of(now.workload).root)
    neighbours = axis_points(now.design, now.shown_axis, count)
    return tuple(replace(now.workload, design=design) for design in neighbours)


def _panels(now: State, other: DeviceLimits | None) -> None:
    """The chart, and the sweep beneath it; while a sweep runs, points appear at every poll."""
    job = session.mine().sweep.job
    axis = now.shown_axis
    knob = axes(now.design)[axis]
    shown = workloads(now)
    able = tuple(workload for workload in shown if is_in_sweep(workload, now.workload))
    why = "" if able else obstacle_text(now.workload)
    hint = "benchmarking …" if job else HINT if able else "cannot be benchmarked here"
    here = _at(now.workload, knob)
    unit = unit_of(shown, knob)
    all_of_them = panels(now.workload, shown, knob, hint, other)
    drawn = chart(all_of_them, knob_label(knob, now.design), here, HEIGHT, unit)
    st.plotly_chart(drawn, key="chart", config={"displayModeBar": False})
    *lines, times = all_of_them[-1].curves
    interpretation = scaling_text.interpretation(times, all_of_them[1].curves[0], unit, here)
    controls(
        axis_label(now.design, axis),
        shown,
        able,
        job,
        interpretation,
        tuple(line.name for line in lines),
        why,
    )


def unit_of(shown: tuple[Workload, ...], knob: Knob) -> Unit:
    """The unit in which power laws along a knob are stated."""
    word = knob_label(knob, shown[0].design)
    xs = tuple(_at(workload, knob) for workload in shown)
    return scaling_text.unit(shown, xs, f"({word})" if " " in word else word)


def _at(workload: Workload, knob: Knob) -> float:
    return position(knob, workload.design.value(knob.name))


def panels(
    here: Workload,
    shown: tuple[Workload, ...],
    knob: Knob,
    hint: str = "",
    other: DeviceLimits | None = None,
) -> tuple[Panel, ...]:
    """One panel each for counts, MACs, memory, and latency (predicted and measured)."""
    xs = tuple(_at(workload, knob) for workload in shown)
    found = [results.profile_of(workload) for workload in shown]
    trained = [(x, p.training_bytes()) for x, p in zip(xs, found, strict=True) if can_train(p)]
    training = tuple(x for x, _ in trained), tuple(float(size) for _, size in trained)
    inference = tuple(float(p.inference_bytes) for p in found)
    memory = (
        Curve("training", *training, kind="predicted"),
        Curve("inference", xs, inference, PALE, kind="predicted"),
    )
    macs = Curve("", xs, tuple(float(p.macs) for p in found))
    counts = (
        Curve("parameters", xs, tuple(float(p.params) for p in found)),
        Curve("activations", xs, tuple(float(p.activation_count) for p in found), PALE),
    )
    times = measured_curve(shown, knob)
    latency = Panel(
        TITLES[here.mode],
        units.seconds,
        (*predicted_curves(shown, xs, here, other), times),
        law=scaling_text.law(times, macs, unit_of(shown, knob), _at(here, knob)),
        few="benchmark this axis for a power law" if times.xs and hint == HINT else hint,
        empty=hint,
    )
    return (
        Panel("Parameters, activation count", units.count, counts),
        Panel("MACs", units.macs, (macs,)),
        Panel("Memory", units.size, memory),
        latency,
    )


def measured_curve(shown: tuple[Workload, ...], knob: Knob) -> Curve:
    points = [(workload, p) for workload in shown if (p := session.bench().measured(workload))]
    separate = measured_separately(shown)
    bars = [error_bar(p, workload.device) for workload, p in points]
    fitted = [p for workload, p in points if workload not in separate]
    loaded = frozenset(_at(workload, knob) for workload, p in points if p.clean is False)
    steady = (
        comparable_seconds([p for _, p in points]) if any(p.clean is False for p in fitted) else ()
    )
    return Curve(
        "latency",
        tuple(_at(workload, knob) for workload, _ in points),
        tuple(p.median_s for _, p in points),
        MEASURED,
        "measured",
        low=tuple(low for low, _ in bars),
        high=tuple(high for _, high in bars),
        separate=frozenset(_at(workload, knob) for workload, _ in points if workload in separate),
        loaded=loaded,
        steady=steady,
        bars=error_bar_text(points[0][1], shown[0].device) if points else "",
    )


def error_bar(point: Measurement, device: str) -> tuple[float, float]:
    """Ends of the error bar in seconds: the run-to-run deviation of this machine, at least the
    interquartile range of this run."""
    factor = 1 + (run_to_run_deviation(point, device) or 0.0)
    return min(point.q25_s, point.median_s / factor), max(point.q75_s, point.median_s * factor)


def error_bar_text(point: Measurement, device: str) -> str:
    """What the error bars show; followed by a pair of times."""
    return "IQR" if run_to_run_deviation(point, device) is None else "run-to-run deviation"


def measured_separately(shown: tuple[Workload, ...]) -> frozenset[Workload]:
    """Workloads not measured by the finished sweep that covers most of them (the latest, if several
    do): single measurements, older sweeps, cancelled sweeps."""
    points = {
        workload: session.bench().measurements.sweep_of(workload)
        for workload in shown
        if session.bench().measured(workload)
    }
    counts = Counter(filter(None, points.values()))
    best = max(counts, key=lambda sweep: (counts[sweep], sweep), default=None)
    return frozenset(workload for workload, sweep in points.items() if sweep != best)


def controls(
    axis: str,
    shown: tuple[Workload, ...],
    able: tuple[Workload, ...],
    job: Sweep | None,
    interpretation: str = "",
    lines: tuple[str, ...] = (),
    why: str = "",
) -> None:
    """The legend, and the buttons to start a sweep (or `why` it cannot start) and to cancel it."""
    if why and not job:
        st.caption(f":orange[This axis cannot be benchmarked: {plain(why)}.]")
    words, button = st.columns([3, 2], vertical_alignment="center")
    if job:
        words.progress(job.progress.progress, plain(f"{job.title} · {progress_text(job.progress)}"))
        button.button("Cancel", key="cancel", on_click=job.cancel, width="stretch")
        return
    left_out = len(shown) - len(able) if able else 0
    if interpretation:
        words.caption(plain(interpretation))
    words.caption(plain(legend(shown, left_out, lines)))
    for trouble in (session.mine().sweep.trouble, session.bench().storage.fallback_reason):
        if trouble:
            words.caption(f":orange[{plain(trouble[0].upper() + trouble[1:])}.]")
    if able:
        benchmark_button(axis, able, button)
    measured = tuple(workload for workload in shown if session.bench().point(workload) is not None)
    if not measured:
        return
    button.button(
        "Delete these measurements",
        key="forget",
        help=f"Deletes the measured latency of these {len(measured)} designs, and no others",
        type="tertiary",
        on_click=_forget,
        args=(measured,),
        width="stretch",
    )


def benchmark_button(axis: str, able: tuple[Workload, ...], place: DeltaGenerator) -> None:
    place.button(
        "Benchmark this axis",
        key="sweep-start",
        help=f"Times {len(able)} designs, interleaved, in a separate process",
        type="primary",
        on_click=_start,
        args=(able, f"Benchmarking {len(able)} designs along {axis}"),
        width="stretch",
    )


def is_in_sweep(workload: Workload, here: Workload) -> bool:
    """Whether a sweep includes this workload; the one on the page always, if it can be measured."""
    return (workload == here or is_timely(results.profile_of(workload))) and not obstacle(workload)


def legend(shown: tuple[Workload, ...], left_out: int, lines: tuple[str, ...] = ()) -> str:
    """The legend of the markers and of the dashed `lines`."""
    points = [p for c in shown if (p := session.bench().measured(c))]
    oldest = min(points, key=lambda point: point.measured_at, default=None)
    where = f" on {short_device_name(oldest.device)}" if oldest else ""
    threads = f", {shown[0].threads_text}" if shown[0].threads_text else ""
    old = f", the oldest {when}" if oldest and (when := age_text(oldest)) else ""
    deviation = run_to_run_deviation(oldest, shown[0].device) if oldest else None
    bars = "interquartile range" if deviation is None else f"run-to-run deviation, ±{deviation:.0%}"
    loaded = any(point.clean is False for point in points)
    kinds = ["measured separately"] * bool(measured_separately(shown)) + ["under load"] * loaded
    sentences = [
        "Parameters, MACs and the activation count (elements that convolutions and matrix products"
        " write) are exact, memory is predicted.",
        f"Latency is measured{where}{threads}{old}." if points else "",
        f"Error bars: {bars}." if points else "",
        f"Hollow points: {' or '.join(kinds)} (not used in the fit)." if kinds else "",
        f"Dashed line: {'. Pale dashed line: '.join(lines)}." if lines else "",
        f"A sweep leaves out the {left_out} largest of these designs." if left_out else "",
    ]
    return " ".join(filter(None, sentences))


def _forget(workloads: tuple[Workload, ...]) -> None:
    session.request_page()  # the latency card loses its measurement too
    with session.bench().priority.background(clicked=True):
        session.bench().forget(workloads)


def _start(able: tuple[Workload, ...], title: str) -> None:
    session.request_page()  # the sweep may be over at once, by stored measurements
    sweep, bench, name = session.mine().sweep, session.bench(), session.name()
    with bench.priority.background(clicked=True):
        sweep.start(bench.sweep(able, title, SWEEP_S, name))
