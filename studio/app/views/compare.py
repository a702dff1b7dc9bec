"""The view that compares designs side by side: costs, scaling, graphs and code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import streamlit as st

from studio import zoo
from studio.analysis.graph.cost_heatmap import share_bars
from studio.app import session
from studio.app.charts import compare_table
from studio.app.charts.compare_table import compared_workloads, shared_axes, workload_label
from studio.app.charts.scaling_chart import chart
from studio.app.controls.sidebar import by_task, search_label
from studio.app.diagram.component import layer_graph
from studio.app.diagram.downloads import downloads
from studio.app.links import link_with
from studio.app.markup import html, plain
from studio.app.pending import poll, progress_text
from studio.app.session import Upload
from studio.drawing.figure import Figure
from studio.exports import figure_heading
from studio.family import DesignError
from studio.workbench import results
from studio.workbench.jobs.benchmarkable import is_timely, obstacle
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.page.history import Visit, restore_visit
from studio.workbench.page.link_parts import MOST_PINS
from studio.workbench.page.state import VIEWS, State
from studio.workbench.workload import Workload

HEIGHT = 520
ABREAST = 3  # graphs in a row
POLL_S = 0.7  # while something is measured
SWEEP_S = 6.0


def compare(now: State) -> None:
    st.markdown("### Designs side by side")
    workloads = compared_workloads(now)
    picker(now)
    with st.container(horizontal=True, gap="small", key="pinned"):
        with st.popover("Add from a file"):  # first: it stays open, with its note, as others come
            file_loader()
        for i, workload in enumerate(workloads):
            design_menu(workload, i, now)
    html(compare_table.table(workloads))
    benchmark(workloads)
    if len(workloads) == 1:
        st.info("Add another design above, pin one in Explore, or add one from a file.")
    growth(workloads)
    graphs(workloads)
    code(workloads)


def picker(now: State) -> None:
    """Add any preset of any family, found by name, family or task."""
    known = presets()
    key = f"compare.add.{len(now.pins)}"  # another one each time, which is empty again
    st.selectbox(
        "Add a design",
        list(known),
        index=None,
        format_func=known.__getitem__,
        placeholder="Add a design: type a name, a family or a task",
        key=key,
        label_visibility="collapsed",
        disabled=len(now.pins) >= MOST_PINS,
        on_change=_add,
        args=(key,),
    )


@cache
def presets() -> dict[tuple[str, str], str]:
    """All presets by family and name, each with its search text."""
    return {
        (family.key, preset.name): f"{preset.name} · {search_label(family)}"
        for family in by_task(zoo.families()).values()
        for preset in family.presets
    }


def _add(key: str) -> None:
    """Pin the preset, and before it the design on the page, which would otherwise come last."""
    now = session.current()
    family, name = session.value(key)
    added = replace(now.workload, design=zoo.family(family).design(name))
    session.commit((now if now.pins else now.pin(now.workload)).pin(added))


def design_menu(workload: Workload, i: int, now: State) -> None:
    """The menu of one of the designs."""
    with st.popover(plain(workload_label(workload))):
        st.button("Open", key=f"pinned.open.{i}", on_click=_open, args=(workload,))
        if workload in now.pins:
            st.button("Unpin", key=f"pinned.unpin.{i}", on_click=_unpin, args=(workload,))
        else:
            st.button("Pin", key=f"pinned.pin.{i}", on_click=_pin, args=(workload,))
        st.download_button(
            "JSON",
            workload.design.to_json(),
            file_name=f"{workload.design.family.key}.json",
            mime="application/json",
            key=f"pinned.json.{i}",
            on_click="ignore",
        )


def _open(workload: Workload) -> None:
    moved = restore_visit(session.current(), Visit(workload, workload.design.base))
    session.commit(replace(moved, view=VIEWS[0], opened=(), node="", axis=None))


def _unpin(workload: Workload) -> None:
    session.commit(session.current().unpin(workload))


def _pin(workload: Workload) -> None:
    session.commit(session.current().pin(workload))


def file_loader() -> None:
    """Add a design saved as JSON. The file is parsed as data; nothing in it is run."""
    file = st.file_uploader("A design's JSON", type="json", key="loaded")
    if file is None:
        return
    if session.mine().upload.file_id != file.file_id:
        _load(file.file_id, file.getvalue())
    if note := session.mine().upload.note:
        st.caption(f":orange[{plain(note)}]")


def _load(file_id: str, data: bytes) -> None:
    """Pin the design in the file, or note why it has none. Also notes which stages were inserted
    to make a composition valid."""
    try:
        made = zoo.read_design(data)
    except DesignError as error:
        session.mine().upload = Upload(file_id, str(error))
        return
    session.mine().upload = Upload(file_id, made.note)
    now = session.current()
    _pin(replace(now.workload, design=made.design))
    session.rerun_page()


def benchmark(workloads: Sequence[Workload]) -> None:
    """Benchmark the designs interleaved, so that their ratios are valid even if the speed of the
    machine varies."""
    comparison = session.mine().comparison

    def draw() -> None:
        if comparison.job:
            _progress(comparison.job)
            return
        benchmark_button(workloads)
        if trouble := comparison.trouble:
            st.caption(f":orange[{plain(trouble[0].upper() + trouble[1:])}.]")

    poll(draw, lambda: comparison.update() is not None, session.bench().poll_s(POLL_S))


def _progress(job: Sweep) -> None:
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.progress(job.progress.progress, plain(f"{job.title} · {progress_text(job.progress)}"))
    button.button("Cancel", key="compare.cancel", on_click=job.cancel, width="stretch")


def benchmark_button(workloads: Sequence[Workload]) -> None:
    """A button that benchmarks those designs that can be benchmarked together."""
    able = [
        workload
        for workload in workloads
        if is_timely(results.profile_of(workload)) and not obstacle(workload)
    ]
    alike = tuple(workload for workload in able if workload.conditions == able[0].conditions)
    if len(alike) < 2:
        return
    known = all(session.bench().measured(workload) for workload in alike)
    left_out = len(workloads) - len(alike)
    aside = (
        f" {left_out:d} left out: too large, or with other benchmark settings." if left_out else ""
    )
    st.button(
        "Benchmark all again" if known else "Benchmark all",
        key="compare.measure",
        help=f"Runs are interleaved, so ratios hold to a few per cent.{aside}",
        on_click=_measure,
        args=(alike,),
    )


def _measure(workloads: tuple[Workload, ...]) -> None:
    title = f"Benchmarking {len(workloads)} designs, interleaved"
    session.request_page()  # the sweep may be over at once, by stored measurements
    bench = session.bench()
    with bench.priority.background(clicked=True):
        session.mine().comparison.start(bench.sweep(workloads, title, SWEEP_S, session.name()))


def growth(workloads: Sequence[Workload]) -> None:
    known = shared_axes(workloads)
    if not known:
        st.caption("These designs share no scaling axis.")
        return
    st.markdown("#### Scaling")
    axis = st.segmented_control(
        "Axis",
        known,
        format_func=plain,
        default=known[0],
        key=f"grow.{'.'.join(known)}",
        label_visibility="collapsed",
    )
    along = axis or known[0]
    label = compare_table.scale(workloads, along)
    drawn = chart(compare_table.panels(workloads, along), label, compare_table.NOWHERE, HEIGHT)
    st.plotly_chart(drawn, key="compare.chart", config={"displayModeBar": False})


def graphs(workloads: Sequence[Workload]) -> None:
    st.markdown("#### Layers")
    for start in range(0, len(workloads), ABREAST):
        row = workloads[start : start + ABREAST]
        for i, (column, workload) in enumerate(zip(st.columns(len(row)), row, strict=True), start):
            with column:
                st.caption(plain(workload_label(workload)))
                picture(workload, i)


def picture(workload: Workload, i: int) -> None:
    """A graph whose open blocks belong to this session; they are not part of the link."""
    shown = session.mine().blocks
    opened, selected = shown.get(workload, ((), ""))
    graph = results.graph(workload)
    layer_graph(
        graph,
        key=f"compare.graph.{i}",
        opened=opened,
        selected=selected,
        marks=share_bars(graph),
        on_change=lambda blocks, node: shown.update({workload: (blocks, node)}),
        height=440,
    )
    link = link_with(workload.to_query() | ({"open": ",".join(opened)} if opened else {}))
    head = figure_heading(results.profile_of(workload), link)
    figure = Figure(graph=graph, heading=head, opened=frozenset(opened), marks=share_bars(graph))
    downloads(figure, workload_label(workload), key=f"downloads.{i}")


def code(workloads: Sequence[Workload]) -> None:
    if len(workloads) < 2:
        return
    st.markdown("#### Code")
    names = {i: workload_label(workload) for i, workload in enumerate(workloads)}
    left, right = st.columns(2)
    before = left.selectbox("From", list(names), format_func=names.__getitem__, key="diff.from")
    others = [i for i in names if i != before]
    after = right.selectbox("To", others, format_func=names.__getitem__, key="diff.to")
    text = compare_table.difference(workloads[before], workloads[after])
    st.code(text or "No differences.", language="diff", height=420)
