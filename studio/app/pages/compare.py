"""The view that lays designs side by side: figures, growth, graphs and code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import streamlit as st

from studio import zoo
from studio.analysis.graph.cost_heatmap import share_bars
from studio.app import session
from studio.app.charts import compare_table
from studio.app.charts.compare_table import compared, named, shared_axes
from studio.app.charts.scaling_chart import chart
from studio.app.controls.history import Visit, returned
from studio.app.controls.sidebar import grouped, searchable
from studio.app.diagram.component import layer_graph
from studio.app.diagram.downloads import take_away
from studio.app.markup import html, plain
from studio.app.session import VIEWS, State
from studio.app.tabs.code import addressed
from studio.app.tabs.scaling import pace
from studio.bench.results import Measurement
from studio.drawing.figure import Figure
from studio.exports import figure_heading
from studio.family import DesignError
from studio.workbench import results
from studio.workbench.measurements import LEDGER, Watch, is_timely, look_s, obstacle
from studio.workbench.page.link_parts import MOST_PINS
from studio.workbench.workload import Case

HEIGHT = 520
ABREAST = 3  # graphs in a row
LOOK_S = 0.7  # between two looks at what is being measured
SWEEP_S = 6.0


def compare(now: State) -> None:
    st.markdown("### Designs side by side")
    cases = compared(now)
    picker(now)
    with st.container(horizontal=True, gap="small", key="shelf"):
        with st.popover("Add from a file"):  # first: it stays open, with its note, as others come
            loader()
        for i, case in enumerate(cases):
            shelved(case, i, now)
    html(compare_table.table(cases))
    measuring(cases)
    if len(cases) == 1:
        st.info("Add another design above, pin one in Explore, or add one from a file.")
    growth(cases)
    graphs(cases)
    code(cases)


def picker(now: State) -> None:
    """Any preset of any family, found by name, family or task, to stand beside the others."""
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
    """All presets by family and name, and how each is found."""
    return {
        (family.key, preset.name): f"{preset.name} · {searchable(family)}"
        for family in grouped(zoo.families()).values()
        for preset in family.presets
    }


def _add(key: str) -> None:
    """Beside the design on the page, which is pinned too: it would stand last else."""
    now = session.current()
    family, name = st.session_state[key]
    added = replace(now.case, design=zoo.family(family).design(name))
    session.put((now if now.pins else now.pin(now.case)).pin(added))


def shelved(case: Case, i: int, now: State) -> None:
    """What can be done with one of the designs."""
    with st.popover(plain(named(case))):
        st.button("Open", key=f"shelf.open.{i}", on_click=_open, args=(case,))
        if case in now.pins:
            st.button("Unpin", key=f"shelf.unpin.{i}", on_click=_unpin, args=(case,))
        else:
            st.button("Pin", key=f"shelf.pin.{i}", on_click=_pin, args=(case,))
        st.download_button(
            "JSON",
            case.design.to_json(),
            file_name=f"{case.design.family.key}.json",
            mime="application/json",
            key=f"shelf.json.{i}",
            on_click="ignore",
        )


def _open(case: Case) -> None:
    moved = returned(session.current(), Visit(case, case.design.base))
    session.put(replace(moved, view=VIEWS[0], opened=(), node="", axis=None))


def _unpin(case: Case) -> None:
    session.put(session.current().unpin(case))


def _pin(case: Case) -> None:
    session.put(session.current().pin(case))


def loader() -> None:
    """A design that was saved as JSON. It is read as data: nothing in it is run."""
    file = st.file_uploader("A design's JSON", type="json", key="loaded")
    if file is None:
        return
    if st.session_state.get("loaded.id") != file.file_id:
        st.session_state["loaded.id"] = file.file_id
        _load(file.getvalue())
    if said := st.session_state["loaded.said"]:
        st.caption(f":orange[{plain(said)}]")


def _load(data: bytes) -> None:
    """Pin the design that the file holds; or else `loaded.said` tells why it holds none. What was
    inserted into a composition to make it fit is told too."""
    try:
        made = zoo.read_design(data)
    except DesignError as error:
        st.session_state["loaded.said"] = str(error)
        return
    st.session_state["loaded.said"] = made.note
    now = session.current()
    _pin(replace(now.case, design=made.design))
    session.again()


def measuring(cases: Sequence[Case]) -> None:
    """Time them in turn, so that their ratios hold though the machine's speed does not."""
    watch: Watch | None = st.session_state.get("comparison")
    if watch:
        st.fragment(run_every=look_s(LOOK_S))(_under_way)(watch)
    else:
        starter(cases)


def _under_way(watch: Watch) -> None:
    if not watch.look():
        st.session_state.comparison = None
        session.again()  # the whole page, with the figures in its table
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.progress(watch.job.progress, plain(f"{watch.title} · {pace(watch)}"))
    button.button("Cancel", key="compare.cancel", on_click=watch.job.cancel, width="stretch")


def starter(cases: Sequence[Case]) -> None:
    """Begin to time those that can be timed together."""
    able = [case for case in cases if is_timely(results.profiled(case)) and not obstacle(case)]
    alike = tuple(case for case in able if case.conditions == able[0].conditions)
    if len(alike) < 2:
        return
    known = all(isinstance(LEDGER[case], Measurement) for case in alike)
    left_out = len(cases) - len(alike)
    aside = (
        f" {left_out:d} left out: too large, or with other benchmark settings." if left_out else ""
    )
    st.button(
        "Re-run all timings" if known else "Benchmark all",
        key="compare.measure",
        help=f"Runs are interleaved, so ratios hold to a few per cent.{aside}",
        on_click=_measure,
        args=(alike,),
    )


def _measure(cases: tuple[Case, ...]) -> None:
    title = f"Measuring {len(cases)} designs, interleaved"
    st.session_state.comparison = Watch(cases, title, SWEEP_S, session.session())


def growth(cases: Sequence[Case]) -> None:
    known = shared_axes(cases)
    if not known:
        st.caption("These designs have no axis in common to scale along.")
        return
    st.markdown("#### How they grow")
    axis = st.segmented_control(
        "Axis",
        known,
        format_func=plain,
        default=known[0],
        key=f"grow.{'.'.join(known)}",
        label_visibility="collapsed",
    )
    along = axis or known[0]
    label = compare_table.scale(cases, along)
    drawn = chart(compare_table.panels(cases, along), label, compare_table.NOWHERE, HEIGHT)
    st.plotly_chart(drawn, key="compare.chart", config={"displayModeBar": False})


def graphs(cases: Sequence[Case]) -> None:
    st.markdown("#### Their layers")
    for start in range(0, len(cases), ABREAST):
        row = cases[start : start + ABREAST]
        for i, (column, case) in enumerate(zip(st.columns(len(row)), row, strict=True), start):
            with column:
                st.caption(plain(named(case)))
                picture(case, i)


def picture(case: Case, i: int) -> None:
    """A graph whose blocks open for this session alone; the link does not tell."""
    shown = st.session_state.setdefault("compare.shown", {})
    opened, selected = shown.get(case, ((), ""))
    graph = results.graph(case)
    layer_graph(
        graph,
        key=f"compare.graph.{i}",
        opened=opened,
        selected=selected,
        marks=share_bars(graph),
        on_change=lambda blocks, node: shown.update({case: (blocks, node)}),
        height=440,
    )
    link = addressed(case.to_query() | ({"open": ",".join(opened)} if opened else {}))
    head = figure_heading(results.profiled(case), link)
    figure = Figure(graph=graph, heading=head, opened=frozenset(opened), marks=share_bars(graph))
    take_away(figure, named(case), key=f"takeaway.{i}")


def code(cases: Sequence[Case]) -> None:
    if len(cases) < 2:
        return
    st.markdown("#### Their code")
    names = {i: named(case) for i, case in enumerate(cases)}
    left, right = st.columns(2)
    before = left.selectbox("From", list(names), format_func=names.__getitem__, key="diff.from")
    others = [i for i in names if i != before]
    after = right.selectbox("To", others, format_func=names.__getitem__, key="diff.to")
    text = compare_table.difference(cases[before], cases[after])
    st.code(text or "No differences.", language="diff", height=420)
