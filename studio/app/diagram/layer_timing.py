"""The button that benchmarks the layers."""

from __future__ import annotations

import streamlit as st

from studio.app import session
from studio.app.markup import plain
from studio.workbench.jobs.layer_times import Times, layer_obstacle
from studio.workbench.pending import Failed, Waiting
from studio.workbench.workload import Workload


def layer_times(workload: Workload) -> Times:
    """The measured time of each module by its path; empty if not timed yet."""
    return session.bench().known_layer_times(workload)


def is_timing(workload: Workload) -> bool:
    """Whether the layers of the workload are being timed."""
    return isinstance(session.bench().layer_times(workload), Waiting)


def timing_button(workload: Workload) -> None:
    """A button that benchmarks the layers, or the reason why that is impossible."""
    if why := layer_obstacle(workload):
        st.caption(f"Layers cannot be benchmarked here: {plain(why)}.")
        return
    words, right = st.columns([3, 2], vertical_alignment="center")
    found = session.bench().layer_times(workload)
    if isinstance(found, Failed):
        words.caption(f":orange[{plain(found.reason)}]")
    again = "Benchmark layers again" if layer_times(workload) else "Benchmark layers"
    right.button(
        "benchmarking …" if is_timing(workload) else again,
        key="time-layers",
        help="With torch.profiler, in a separate process",
        disabled=is_timing(workload),
        on_click=_start,
        args=(workload,),
        width="stretch",
    )


def _start(workload: Workload) -> None:
    session.request_page()
    session.bench().start_layer_times(workload, session.name())
