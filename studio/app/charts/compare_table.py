"""Designs side by side: their costs relative to the first design, and how these scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import unified_diff
from html import escape

from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.analysis.cost.scaling import axes, axis_points, position
from studio.analysis.cost.starved_norm import can_train, training_memory_text
from studio.app import session
from studio.app.charts.scaling_chart import Curve, Panel
from studio.bench.idle_latency import idle_latency
from studio.bench.results import Measurement
from studio.reporting import latency_text
from studio.workbench import results
from studio.workbench.page.figures import change
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

# Okabe and Ito's colour-blind-safe palette; the first is the colour of exact curves.
COLOURS = ("#4a7fc1", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8a5cd0", "#777777")
POINTS = 5
NOWHERE = -1.0  # charts of several designs mark none of them
TRAINING = "Training memory, Adam"
Read = Callable[[Profile], float]
ROWS: tuple[tuple[str, Read, Callable[[float], str]], ...] = (
    ("Parameters", lambda found: found.params, units.count),
    ("MACs, one forward pass", lambda found: found.macs, units.macs),
    ("Peak activation memory", lambda found: found.activation_bytes, units.size),
    ("Inference memory", lambda found: found.inference_bytes, units.size),
    (TRAINING, lambda found: found.training_bytes(), units.size),
)
STYLE = """<style>
.compared { overflow-x: auto; }
.compared table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.compared th, .compared td { text-align: left; padding: .35rem .9rem .35rem 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); min-width: 8rem; }
.compared thead th { font-weight: 600; border-bottom-width: 2px; }
.compared tbody th { font-weight: 400; opacity: .75; font-size: .88rem; }
.compared td b { font-weight: 600; display: block; }
.compared small { opacity: .8; font-weight: 400; }
.compared i { display: inline-block; width: .75rem; height: .75rem; border-radius: 50%;
  margin-right: .4rem; }
</style>"""


def compared_workloads(now: State) -> tuple[Workload, ...]:
    """The pinned workloads, and the one on the page unless it is pinned too."""
    return tuple(dict.fromkeys((*now.pins, now.workload)))


def workload_label(workload: Workload) -> str:
    """Label of a workload: the design, and batch, mode and dtype if not the defaults."""
    extra = {k: v for k, v in workload.to_query().items() if k in ("batch", "mode", "dtype")}
    return ", ".join(
        [workload.design.title_for(workload.design.base), *(f"{k}={v}" for k, v in extra.items())]
    )


def table(workloads: Sequence[Workload]) -> str:
    """The costs as an HTML table, with differences from the first design."""
    heads = "".join(
        f'<th scope="col"><i style="background:{colour}"></i>{escape(workload_label(workload))}'
        f"<br><small>{escape(workload.design.family.title)}</small></th>"
        for workload, colour in zip(workloads, COLOURS, strict=False)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
        for name, cells in _rows(workloads)
    )
    return (
        f'{STYLE}<div class="compared"><table><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rows(workloads: Sequence[Workload]) -> Iterator[tuple[str, Iterator[str]]]:
    found = [results.profile_of(workload) for workload in workloads]
    for name, read, write in ROWS:
        yield name, (_figure(profile, found[0], name, read, write) for profile in found)
    yield "Latency, measured", map(_latency, workloads, [workloads[0]] * len(workloads))
    yield "Published", map(_published, workloads)
    for name, texts in differing_knobs(workloads).items():
        yield name, (_cell(text, "") for text in texts)


def _figure(
    found: Profile, first: Profile, name: str, read: Read, write: Callable[[float], str]
) -> str:
    """A cost, and its difference from the first design's if both have it."""
    if name == TRAINING and not can_train(found):
        return _cell("–", training_memory_text(found))
    compared = found is not first and (name != TRAINING or can_train(first))
    value = read(found)
    return _cell(write(value), change(value, read(first), write) if compared else "")


def _cell(value: str, note: str) -> str:
    below = f"<small>{escape(note)}</small>" if note else ""
    return f"<td><b>{escape(value)}</b>{below}</td>"


def _latency(workload: Workload, first: Workload) -> str:
    point, base = session.bench().point(workload), session.bench().point(first)
    if not isinstance(point, Measurement):
        return _cell("–", str(point) if point else "not measured yet")
    value, band, under_load = latency_text.format_latency(point, workload.device)
    below = "; ".join(filter(None, (band, under_load)))
    if workload == first or not isinstance(base, Measurement):
        return _cell(value, below)
    against = change(idle_s(point, workload), idle_s(base, first), units.seconds)
    return _cell(value, f"{against} · {below}")


def idle_s(point: Measurement, workload: Workload) -> float:
    """Latency in seconds: measured, or, if under load, the predicted idle latency."""
    expected = idle_latency(point, workload.device)
    return expected.seconds if expected else point.median_s


def _published(workload: Workload) -> str:
    """Published results of the design's preset; for a variant, marked as those of its base."""
    design = workload.design
    results = [r for r in design.family.guide.results if r.preset == design.base.name]
    listed = "; ".join(f"{r.metric} {r.value:g} {r.unit} ({r.source})" for r in results)
    if not listed:
        return _cell("–", "")
    if design.preset:
        return _cell("", listed)
    return _cell("", f"not published for this variant. {design.base.name}: {listed}")


def differing_knobs(workloads: Sequence[Workload]) -> dict[str, list[str]]:
    """Knobs in which the designs differ, as text; a dash for a knob that a design lacks."""
    names = dict.fromkeys(name for workload in workloads for name in workload.design.family.knobs)
    rows = {name: [_value(workload, name) for workload in workloads] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _value(workload: Workload, name: str) -> str:
    knobs = workload.design.family.knobs
    if name not in knobs:
        return "–"
    text = knobs[name].label(workload.design.value(name))
    return text if len(text) <= 80 else f"{text[:79]}…"


def shared_axes(workloads: Sequence[Workload]) -> list[str]:
    """Axes along which all designs can be scaled."""
    first, *others = (axes(workload.design) for workload in workloads)
    return [axis for axis in first if all(axis in other for other in others)]


def scale(workloads: Sequence[Workload], axis: str) -> str:
    """The name of the x axis: the axis itself if all designs have the same knob for it. Otherwise
    values are relative to each design (a sum of depths does not compare with a multiplier)."""
    names = {axes(workload.design)[axis].name for workload in workloads}
    return axis if len(names) == 1 else f"{axis}, relative to each design"


def panels(workloads: Sequence[Workload], axis: str) -> tuple[Panel, ...]:
    """Costs along an axis, one curve per design."""
    own = scale(workloads, axis) != axis
    along = [_neighbours(workload, axis, own) for workload in workloads]
    quantities = ((ROWS[0], "Parameters"), (ROWS[1], "MACs"), (ROWS[2], "Activation memory"))
    drawn = [
        Panel(title, write, tuple(_curves(along, workloads, read)), law=" ")
        for (_, read, write), title in quantities
    ]
    (_, read, write), title = ROWS[4], "Training memory"
    trained = [tuple((x, found) for x, found in points if can_train(found)) for points in along]
    return (*drawn, Panel(title, write, tuple(_curves(trained, workloads, read)), law=" "))


Along = tuple[tuple[float, Profile], ...]  # positions on the axis, and the profile at each


def _neighbours(workload: Workload, axis: str, own: bool) -> Along:
    knob = axes(workload.design)[axis]
    one = position(knob, workload.design.value(knob.name)) if own else 1.0
    return tuple(
        (
            position(knob, design.value(knob.name)) / one,
            results.profile_of(Workload(design, workload.batch)),
        )
        for design in axis_points(workload.design, axis, POINTS)
    )


def _curves(along: Sequence[Along], workloads: Sequence[Workload], read: Read) -> Iterator[Curve]:
    for points, workload, colour in zip(along, workloads, COLOURS, strict=False):
        xs, ys = tuple(x for x, _ in points), tuple(float(read(found)) for _, found in points)
        yield Curve(workload_label(workload), xs, ys, colour)


def difference(before: Workload, after: Workload) -> str:
    """A unified diff of the exported scripts."""
    old, new = (results.script_of(workload).text.splitlines() for workload in (before, after))
    return "\n".join(
        unified_diff(old, new, workload_label(before), workload_label(after), lineterm="", n=2)
    )
