"""The Memory tab: peak memory by component, and the largest batch that fits the budget.

Until the peaks of the neighbouring designs are simulated, only the design on the page is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from studio.analysis import units
from studio.analysis.cost.peak_memory import peak_memory
from studio.analysis.cost.scaling import axes, axis_points, position
from studio.analysis.cost.starved_norm import batch_too_small
from studio.analysis.cost.training_step import PeakMemory
from studio.app import session
from studio.app.charts.axis_labels import knob_label
from studio.app.charts.scaling_chart import EXACT, HERE, MEASURED, PALE
from studio.app.markup import plain, trusted
from studio.app.pending import poll
from studio.family import BATCH
from studio.knobs import Mode
from studio.process.free_memory import FIXED_BYTES, OVERHEAD, available_bytes
from studio.workbench.jobs.memory_plan import MemoryPlan, MemoryRequest
from studio.workbench.page.state import State
from studio.workbench.pending import Failed, Pending, Ready, Waiting
from studio.workbench.workload import Workload

BARS = 7  # powers of two around the batch on the page
HEIGHT = 320
BUDGET_WIDTH = 330  # of its label and its field, in pixels
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}
GB = 1e9
NAMES = {"training": "Training", "inference": "Inference"}
OPTIMIZERS = {"adam": "Adam", "momentum": "SGD, momentum", "sgd": "SGD"}
SAND = "#b08d4f"
# What the memory of a process was, as a multiple of its tensors: measured on a CPU, 8 models.
PROCESS = {"training": "1.2–1.7×", "inference": "up to 1.2×"}
PARTS: dict[str, tuple[str, Callable[[PeakMemory], int]]] = {
    "Parameters": (EXACT, lambda found: found.parameters + found.buffers),
    "Gradients": (PALE, lambda found: found.gradients),
    "Optimizer states": (SAND, lambda found: found.states),
    "Activations": (MEASURED, lambda found: found.activations),
}
MEANING = (
    "What is alive at the peak, in float32: **parameters** with the buffers of norms; the"
    " **gradients** that exist by then; **optimizer states** (Adam keeps two values per parameter,"
    " momentum one); and **activations**: inputs, outputs, tensors saved for backward, temporaries."
    " The peak is a maximum over time: gradients appear while saved tensors are freed. The loss is"
    " the mean of the squared outputs; attention dropout holds the full score matrix, as on a CPU."
    " Left out: kernel workspace and allocator fragmentation, and on a GPU the CUDA context"
    " (0.3–0.5 GB)."
)
SIMULATED = "Simulated on meta tensors; every allocation and release is tracked."
WAITING = "Simulated on meta tensors; the other bars follow …"


def memory(now: State) -> None:
    budget_gb = controls(now)
    options = now.memory_options
    if options.mode == "training" and (why := batch_too_small(now.design, now.workload.batch)):
        st.warning(plain(f"{why}."))
        return
    request = MemoryRequest(
        chart_workloads(now), now.workload.counted, options.mode, options.optimizer, budget_gb * GB
    )

    def ask() -> Pending[MemoryPlan]:
        return session.bench().peak_memory(request, session.name())

    poll(lambda: _plan(now, request, ask()), lambda: isinstance(ask(), Waiting))


def _plan(now: State, request: MemoryRequest, found: Pending[MemoryPlan]) -> None:
    """The largest batch and the chart; until the others are simulated, only the page's design."""
    if isinstance(found, Failed):
        st.warning(plain(f"{found.reason}."))
        return
    if isinstance(found, Ready):
        plan = found.value
        peaks, source = dict(zip(request.shown, plan.peaks, strict=True)), SIMULATED
        st.markdown(trusted(largest_batch_text(request, plan)))
    else:
        here, source = request.here, WAITING
        peaks = {here: peak_memory(here.design, here.batch, request.mode, request.optimizer)}
        st.markdown(f"**Looking for the largest batch** in {units.size(request.available_bytes)} …")
    figure = chart(request, peaks, _title(now))
    st.plotly_chart(figure, key="memory-chart", config={"displayModeBar": False})
    st.caption(f"**{plain(source)}** {MEANING}")


def controls(now: State) -> float:
    """The controls of the tab. Returns the memory budget in GB."""
    options = now.memory_options
    over = ("batch", "resolution") if "resolution" in axes(now.design) else ("batch",)
    training = options.mode == "training"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _choice("Mode", "mode", tuple(NAMES), options.mode, NAMES)
        _choice(
            "Optimizer", "optimizer", tuple(OPTIMIZERS), options.optimizer, OPTIMIZERS, training
        )
        _choice("Along which axis", "over", over, _over(now), {})
        _budget_field(options.budget_gb or _free())
    return options.budget_gb or _free()


def _budget_field(budget_gb: float) -> None:
    shown = session.widget("memory.room", budget_gb, value=budget_gb)
    with st.container(horizontal=True, vertical_alignment="center", width=BUDGET_WIDTH, wrap=False):
        st.markdown("Memory budget (GB)", width="content")
        st.number_input(
            "Memory budget (GB)",
            min_value=0.0,
            max_value=1e6,
            step=1.0,
            format="%.1f",
            label_visibility="collapsed",
            width=140,
            **shown,
            **_on_change("budget_gb", "memory.room"),
        )


def _choice(
    label: str,
    name: str,
    options: tuple[str, ...],
    value: str,
    names: dict[str, str],
    enabled: bool = True,
) -> None:
    key = f"memory.{name}"
    st.segmented_control(
        plain(label),
        options,
        format_func=lambda option: plain(names.get(option, option.capitalize())),
        required=True,
        disabled=not enabled,
        label_visibility="collapsed",
        width="content",
        **session.widget(key, value, default=value),
        **_on_change(name, key),
    )


def _on_change(name: str, key: str) -> dict[str, Any]:
    return {"on_change": _set_option, "args": (name, key)}


def _set_option(name: str, key: str) -> None:
    if not session.user_changed(key):
        return
    now = session.current()
    session.commit(
        replace(now, memory_options=replace(now.memory_options, **{name: session.value(key)}))
    )


def _free() -> float:
    """What this machine has free, in GB, as the session first saw it: it changes all the time."""
    mine = session.mine()
    if mine.free_gb is None:
        mine.free_gb = round(available_bytes() / GB, 1)
    return max(0.1, mine.free_gb)


def _over(now: State) -> str:
    return now.memory_options.over if "resolution" in axes(now.design) else "batch"


def _title(now: State) -> str:
    return (
        "batch" if _over(now) == "batch" else knob_label(axes(now.design)["resolution"], now.design)
    )


def chart_workloads(now: State) -> tuple[Workload, ...]:
    """The workloads on the chart, in rising order, the one on the page among them."""
    here = now.workload.counted
    if _over(now) == "resolution":
        neighbours = axis_points(now.design, "resolution")
        return tuple(replace(here, design=design) for design in neighbours)
    middle, last = here.batch, round(math.log2(BATCH.le or 1))
    first = min(max(0, round(math.log2(middle)) - BARS // 2), last - BARS + 1)
    batches = {middle} | {2**k for k in range(first, first + BARS)}
    return tuple(replace(here, batch=batch) for batch in sorted(batches))


def largest_batch_text(request: MemoryRequest, plan: MemoryPlan) -> str:
    """The largest batch that fits: one sentence for its tensors, one for the whole process."""
    budget, need = units.size(request.available_bytes), units.size(plan.there.total)
    step = "training" if request.mode == "training" else "inference"
    by = f" with {OPTIMIZERS[request.optimizer]}" if request.mode == "training" else ""
    at = resolution_text(request.here)
    if not plan.largest:
        return f"**Nothing fits in {budget}**{at}: {step}{by} at batch 1 needs {need} already."
    return (
        f"**The largest batch whose tensors fit in {budget} is {_batch_text(plan.largest)}**{at}:"
        f" {step}{by} peaks at {need} there. {process_text(request.mode, plan.with_margin)}"
    )


def process_text(mode: Mode, largest: int) -> str:
    """The overhead of a process, and the largest batch that fits with that margin."""
    fits = f"batch {_batch_text(largest)} fits" if largest else "nothing fits"
    return (
        f"A CPU process needs {PROCESS[mode]} its tensors, plus its libraries. Allowing"
        f" {OVERHEAD:g}× and {units.size(FIXED_BYTES)}, **{fits}**."
    )


def _batch_text(batch: int) -> str:
    return f"{'at least ' if batch == BATCH.le else ''}{batch:,}"  # larger batches were not tried


def resolution_text(workload: Workload) -> str:
    """What resolution a figure is for: ` (image_size=32)`; empty where there is none."""
    knob = axes(workload.design).get("resolution")
    return f" ({knob.name}={knob.text(workload.design.value(knob.name))})" if knob else ""


def chart(
    request: MemoryRequest, peaks: Mapping[Workload, PeakMemory], axis: str
) -> dict[str, Any]:
    """A bar for each workload, its parts stacked and the total above; the tick of the workload on
    the page in colour, the available memory a dashed line where the bars come near it."""
    places = {workload: str(_place(workload, axis)) for workload in request.shown}
    bars = {places[workload]: found for workload, found in peaks.items()}
    top = 1.15 * max(found.total for found in bars.values())
    line = {"color": HERE, "width": 1.5, "dash": "dash"}
    limit = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": line}
    limit |= {"y0": request.available_bytes, "y1": request.available_bytes}
    words = {"text": f"{units.size(request.available_bytes)} budget", "textposition": "start"}
    near = request.available_bytes < top
    ticks = [_tick(place, workload == request.here) for workload, place in places.items()]
    return {
        "data": [*_parts(bars, axis), _totals(bars)],
        "layout": {
            "height": HEIGHT,
            "margin": {"l": 4, "r": 12, "t": 34, "b": 4},
            "barmode": "stack",
            "bargap": 0.3,
            "legend": LEGEND,
            "xaxis": {
                "type": "category",
                "title": {"text": axis, "standoff": 2},
                "range": [-0.5, len(places) - 0.5],
                "categoryarray": list(places.values()),
                "categoryorder": "array",
                "tickvals": list(places.values()),
                "ticktext": ticks,
                "fixedrange": True,
                "automargin": True,
            },
            "yaxis": _scale(top),
            "shapes": [limit | {"label": words | {"font": {"color": HERE}}}] if near else [],
        },
    }


def _place(workload: Workload, axis: str) -> int:
    if axis == BATCH.name:
        return workload.batch
    knob = axes(workload.design)["resolution"]
    return round(position(knob, workload.design.value(knob.name)))


def _tick(place: str, here: bool) -> str:
    return f'<b style="color:{HERE}">{place}</b>' if here else place


def _parts(bars: Mapping[str, PeakMemory], axis: str) -> Iterator[dict[str, Any]]:
    for name, (colour, share) in PARTS.items():
        sizes = [share(found) for found in bars.values()]
        if any(sizes):
            yield {
                "type": "bar",
                "name": name,
                "x": list(bars),
                "y": sizes,
                "marker": {"color": colour, "line": {"width": 0}},
                "customdata": [units.size(size) for size in sizes],
                "hovertemplate": f"{axis} = %{{x}}<br>{name} %{{customdata}}<extra></extra>",
            }


def _totals(bars: Mapping[str, PeakMemory]) -> dict[str, Any]:
    totals = [found.total for found in bars.values()]
    return {
        "type": "scatter",
        "mode": "text",
        "x": list(bars),
        "y": totals,
        "text": [units.size(total) for total in totals],
        "textposition": "top center",
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }


def _scale(top: float) -> dict[str, Any]:
    """From nothing to a little above the highest bar, in four to eight round steps."""
    step = 10.0 ** math.floor(math.log10(top / 4))
    step *= next(factor for factor in (10, 5, 2.5, 2, 1) if factor * step <= top / 4)
    values = [step * k for k in range(math.floor(top / step) + 1)]
    return {
        "range": [0, top],
        "tickvals": values,
        "ticktext": [units.size(value) if value else "0" for value in values],
        "fixedrange": True,
        "automargin": True,
        "zeroline": False,
    }
