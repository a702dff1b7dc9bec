"""The Scaling tab: how the figures grow along an axis: exact, predicted and measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import streamlit as st

from studio.analysis import units
from studio.analysis.scaling import axes, axis_points, points_afforded, position
from studio.app import figures, state
from studio.app.charts import MEASURED, PALE, Curve, Panel, figure
from studio.app.latency import short
from studio.app.ledger import LEDGER, Watch, is_timely, obstacle
from studio.app.state import Case, State
from studio.knobs import Axis, Knob
from studio.measure.request import Measurement

LOOK_S = 0.7  # between two looks at a sweep
SWEEP_S = 6.0  # spent timing, beside building
HEIGHT = 490
ASK = "press “Measure this axis”"


def scaling(now: State) -> None:
    watch = under_way()
    chooser(now)
    st.fragment(run_every=LOOK_S if watch else None)(_panels)(now, watch)


def under_way() -> Watch | None:
    """This session's sweep while it is at work; what it has found so far is written down."""
    watch: Watch | None = st.session_state.get("sweep")
    if watch and not watch.look():
        st.session_state.sweep = watch = None  # an old sweep must not overwrite newer figures
    return watch


def axis_of(now: State) -> Axis:
    """The axis on show: the one chosen, or else the first."""
    known = axes(now.design.family)
    return now.axis if now.axis and now.axis in known else next(iter(known))


def chooser(now: State) -> None:
    knobs = axes(now.design.family)
    key = state.view(f"{now.design.family.key}.axis", axis_of(now))
    st.segmented_control(
        "Along which axis",
        list(knobs),
        format_func=str.capitalize,
        key=key,
        required=True,
        label_visibility="collapsed",
        on_change=lambda: state.put(replace(state.current(), axis=st.session_state[key])),
    )


def cases(now: State) -> tuple[Case, ...]:
    count = points_afforded(figures.profiled(now.case).root)
    return tuple(Case(d, now.case.batch) for d in axis_points(now.design, axis_of(now), count))


def _panels(now: State, watch: Watch | None) -> None:
    """The chart, and the sweep beneath it; while a sweep runs, points appear at every look."""
    if under_way() is not watch:
        state.again()  # the whole page, so that it begins or ceases to look by itself
    axis = axis_of(now)
    knob = axes(now.design.family)[axis]
    shown = cases(now)
    able = tuple(case for case in shown if fits(case, now.case))
    hint = "measuring …" if watch else ASK if able else "too large to be measured here"
    chart = figure(panels(shown, knob, hint), label(knob), _at(now.case, knob), HEIGHT)
    st.plotly_chart(chart, key="chart", config={"displayModeBar": False})
    controls(axis, shown, able, watch)


def label(knob: Knob) -> str:
    return f"sum of {knob.name}" if isinstance(knob.default, tuple) else knob.name


def _at(case: Case, knob: Knob) -> float:
    return position(knob, case.design.settings[knob.name])


def panels(shown: tuple[Case, ...], knob: Knob, hint: str = "") -> tuple[Panel, ...]:
    """Parameters, compute, memory, and what has been measured so far, or how to."""
    xs = tuple(_at(case, knob) for case in shown)
    found = [figures.profiled(case) for case in shown]
    training = tuple(float(p.training_bytes()) for p in found)
    inference = tuple(float(p.inference_bytes) for p in found)
    memory = (
        Curve("training", xs, training, kind="predicted"),
        Curve("inference", xs, inference, PALE, kind="predicted"),
    )
    return (
        Panel("Parameters", units.count, (Curve("", xs, tuple(float(p.params) for p in found)),)),
        Panel("MACs", units.macs, (Curve("", xs, tuple(float(p.macs) for p in found)),)),
        Panel("Memory", units.size, memory),
        Panel(
            "Latency",
            units.seconds,
            (measured(shown, knob),),
            few="no finished sweep yet",
            empty=hint,
        ),
    )


def measured(shown: tuple[Case, ...], knob: Knob) -> Curve:
    points = [(case, p) for case in shown if isinstance(p := LEDGER[case], Measurement)]
    apart = measured_apart(shown)
    return Curve(
        "latency",
        tuple(_at(case, knob) for case, _ in points),
        tuple(p.median_s for _, p in points),
        MEASURED,
        "measured",
        low=tuple(p.q25_s for _, p in points),
        high=tuple(p.q75_s for _, p in points),
        apart=frozenset(_at(case, knob) for case, _ in points if case in apart),
    )


def measured_apart(shown: tuple[Case, ...]) -> frozenset[Case]:
    """Those whose figures are not of the finished sweep that measured most of them (of several such
    the latest): single looks, other hours', what a cancelled sweep left behind."""
    points = {case: LEDGER.sweep(case) for case in shown if isinstance(LEDGER[case], Measurement)}
    counts = Counter(filter(None, points.values()))
    best = max(counts, key=lambda sweep: (counts[sweep], sweep), default=None)
    return frozenset(case for case, sweep in points.items() if sweep != best)


def controls(
    axis: Axis, shown: tuple[Case, ...], able: tuple[Case, ...], watch: Watch | None
) -> None:
    """Start a sweep, or see how far it is and stop it; and what the marks mean."""
    words, button = st.columns([3, 2], vertical_alignment="center")
    if watch:
        words.progress(watch.job.progress, f"{watch.title} · {watch.job.progress:.0%}")
        button.button("Cancel", key="cancel", on_click=watch.job.cancel, width="stretch")
        return
    words.caption(legend(shown, len(shown) - len(able)))
    button.button(
        "Measure this axis",
        key="sweep-start",
        help=f"Times {len(able)} designs in turn, in a process of its own",
        type="primary",
        disabled=not able,
        on_click=_start,
        args=(able, f"Measuring {len(able)} designs along {axis}"),
        width="stretch",
    )


def fits(case: Case, here: Case) -> bool:
    """Whether a sweep times it: where it can be, the case on the page always."""
    profile = figures.profiled(case)
    return (case == here or is_timely(profile)) and not obstacle(profile)


def legend(shown: tuple[Case, ...], left_out: int) -> str:
    device = next((p.device for c in shown if isinstance(p := LEDGER[c], Measurement)), "")
    where = f" on {short(device)}" if device else ""
    hollow = "; hollow: measured apart, not fitted" if measured_apart(shown) else ""
    slow = f" A sweep leaves out the {left_out} largest of these designs." if left_out else ""
    return (
        "Parameters and MACs are exact, memory is predicted."
        f" Latency is measured{where}, 1 thread; bars: middle half{hollow}.{slow}"
    )


def _start(able: tuple[Case, ...], title: str) -> None:
    st.session_state.sweep = Watch(able, title, SWEEP_S)
