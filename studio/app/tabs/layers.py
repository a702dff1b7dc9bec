"""The Layers tab: the table of layers, and torchinfo's summary."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.analysis import units
from studio.analysis.cost.attention_cost import causal_note
from studio.analysis.cost.layer_table import OWN, LayerRow
from studio.analysis.graph import design_diff
from studio.analysis.graph.cost_heatmap import HeatScale
from studio.analysis.trace.tree import Trace
from studio.app import session
from studio.app.diagram import layer_diff
from studio.app.diagram.colouring import compared_workload, heat_scale
from studio.app.diagram.layer_timing import is_timing, layer_times, timing_button
from studio.app.markup import plain
from studio.app.pending import poll, result
from studio.workbench import results
from studio.workbench.jobs.layer_times import Times
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

COLUMNS = {
    "Layer": st.column_config.TextColumn(width=124, help="Path in the model"),
    "Kind": st.column_config.TextColumn(width=112, help="Class or operation"),
    "Output": st.column_config.TextColumn(width=102, help="Output shape"),
    "Parameters": st.column_config.NumberColumn(width=80),
    "MMACs": st.column_config.NumberColumn(
        width=62, help="Millions of multiply-accumulates in one forward pass"
    ),
    "Activations": st.column_config.NumberColumn(
        width=76,
        help="Activation count: elements written by convolutions and matrix products, as RegNet,"
        " timm and fvcore count them",
    ),
    "Saved": st.column_config.NumberColumn(
        width=63, help="Activations saved for the backward pass"
    ),
    "Time": st.column_config.NumberColumn(width=63, help="Measured, including the layers inside"),
    "Limited by": st.column_config.TextColumn(
        width=76,
        help="Where most of its time should go on this device, by its roofline: compute, memory"
        " bandwidth, or the overhead of launching operations",
    ),
}
FORMATS = {
    "Parameters": "{:,}".format,
    "MMACs": "{:,.1f}".format,
    "Activations": "{:,}".format,
    "Saved": units.size,
    "Time": units.seconds,
    layer_diff.MEMORY: units.size,
}
COLUMNS |= {
    layer_diff.CHANGE: st.column_config.TextColumn(
        width=84, help="Against the pinned design; modified: some figures grew and others shrank"
    ),
    layer_diff.MEMORY: st.column_config.NumberColumn(
        width=70,
        help="What the layer holds in training with Adam: 16 bytes a parameter (weight, gradient,"
        " two moments) and its saved activations. The peak of the whole step is on the card.",
    ),
    **{
        name: st.column_config.NumberColumn(width=106 if "Parameters" in name else 76)
        for name in layer_diff.DELTAS
    },
}
HOT = {
    "parameters": "Parameters",
    "macs": "MMACs",
    "activations": "Saved",
    "activation_count": "Activations",
    "memory": layer_diff.MEMORY,
    "time": "Time",
}
POLL_S = 0.4  # while times are measured
READING = (
    "Leaf rows sum to the total. ×n: n identical layers. (own): what a block adds outside its"
    " sub-layers; negative where weights are shared and counted once."
)


def layers(now: State) -> None:
    poll(lambda: _rows(now), lambda: is_timing(now.workload), POLL_S)
    with st.expander(
        "The same model by torchinfo", key="torchinfo", on_change=session.keep_state
    ) as other:
        if other.open:
            _torchinfo(now.workload)


def _torchinfo(workload: Workload) -> None:
    text = result(
        lambda: session.bench().torchinfo_summary(workload, session.name()),
        "Running torchinfo on the meta device; a recurrent model takes seconds …",
        "torchinfo has no summary of this model",
    )
    if text:
        st.code(text, language=None, height=360)


def _rows(now: State) -> None:
    pinned = compared_workload(now)
    rows = diff_table(pinned, now.workload) if pinned else layer_table(now)
    st.dataframe(
        rows, hide_index=True, height=340, column_config=COLUMNS, key="layers", placeholder=""
    )
    timing_button(now.workload)
    clocked = timing_text(now.workload)
    times = f"{plain(clocked)}  \n" if clocked else ""
    trace = results.training_trace_of(now.workload)
    causal = plain(causal_note(trace))
    st.caption(f"**{plain(total_text(trace))}**  \n{times}{READING} {causal}")


def layer_table(now: State) -> Any:
    """The layers of the page's workload; the column by which the graph is coloured comes first, in
    the same colours."""
    counted, measured, found = (
        counted_columns(now.workload),
        measured_columns(now.workload),
        heat_scale(now),
    )
    known = counted | measured
    name = HOT.get(now.colour_mode.heat, "") if found else ""
    values = cost_column(now, found) if found else []
    coloured = {name: known.get(name, values)} if found else {}
    times = {"Time": measured["Time"]} if "Time" in measured else {}
    # The column that colours the graph comes first; what limits a layer comes last.
    columns = {"Layer": counted["Layer"]} | coloured | times | counted | measured
    styles = layer_diff.heat_styles(values, found, layer_diff.is_dark()) if found else []
    return layer_diff.styled_table(columns, FORMATS, {name: styles} if found else {})


def cost_column(now: State, by: HeatScale) -> list[float | None]:
    """The cost of each row in the scale's metric."""
    times, read = layer_times(now.workload), by.metric.read
    if read is None:
        return [row_seconds(row, times) for row in results.layer_rows_of(now.workload)]
    return [read(row.figures) for row in results.layer_rows_of(now.workload)]


def diff_table(before: Workload, now: Workload) -> Any:
    """The layers of two designs in one table, with what moved."""
    alike = before.design.family is now.design.family
    columns = layer_diff.columns(
        design_diff.layer_diffs(results.layer_rows_of(before), results.layer_rows_of(now), alike)
    )
    dark = layer_diff.is_dark()
    styles = {name: layer_diff.diff_styles(columns[name], dark) for name in layer_diff.DELTAS}
    return layer_diff.styled_table(columns, layer_diff.FORMATS, styles)


def counted_columns(workload: Workload) -> dict[str, list[Any]]:
    """The counted columns by their names."""
    rows = results.layer_rows_of(workload)
    return {
        "Layer": [row.path for row in rows],
        "Kind": [row.kind for row in rows],
        "Output": [row.output.replace(" × ", "×") for row in rows],
        "Parameters": [row.params for row in rows],
        "MMACs": [row.macs / 1e6 for row in rows],
        "Saved": [row.saved_bytes for row in rows],
        "Activations": [row.activation_count for row in rows],
    }


def measured_columns(workload: Workload) -> dict[str, list[Any]]:
    """The measured columns, where there are any: seconds, and what a layer waits for."""
    found: dict[str, list[Any]] = {}
    if times := layer_times(workload):
        found["Time"] = [row_seconds(row, times) for row in results.layer_rows_of(workload)]
    if device := session.bench().device(workload):
        found["Limited by"] = results.limiting_resources(workload, device)
    return found


def timing_text(workload: Workload) -> str:
    """The total time and how it was measured; empty if the layers are not timed."""
    whole = layer_times(workload).get("")
    if whole is None:
        return ""
    kinds = [
        workload.dtype,
        workload.layout if workload.layout != "contiguous" else "",
        workload.threads_text,
    ]
    kinds += ["under load"] if whole.clean is False else []
    return (
        f"Time: {units.seconds(whole.total_s)} per forward pass, {', '.join(filter(None, kinds))},"
        " measured separately from the latency above; split between layers by torch.profiler."
    )


def row_seconds(row: LayerRow, times: Times) -> float | None:
    """Of all the modules that a row stands for; None for what is no module."""
    known = [times[path] for path in row.modules if path in times]
    if not known:
        return None
    return sum(time.own_s if row.path.endswith(OWN) else time.total_s for time in known)


def total_text(trace: Trace) -> str:
    """What the rows add up to."""
    written = f"{trace.activation_count:,} activations"
    saved = f"{units.size(trace.saved_bytes)} saved"
    return (
        f"Total: {trace.params:,} parameters · {trace.macs / 1e6:,.1f} MMACs · {written} · {saved}"
    )
