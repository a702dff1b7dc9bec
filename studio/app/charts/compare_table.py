"""Designs side by side: their figures against the first one's, and how they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import unified_diff
from html import escape

from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.analysis.cost.scaling import axes, axis_points, position
from studio.analysis.cost.starved_norm import can_train, training_memory_text
from studio.app.charts.scaling_chart import Curve, Panel
from studio.app.header.headline import change
from studio.app.session import State
from studio.bench.idle_latency import idle_latency
from studio.bench.results import Measurement
from studio.reporting import latency_text
from studio.workbench import results
from studio.workbench.measurements import LEDGER
from studio.workbench.workload import Case

# Okabe & Ito's colours, which the colour-blind tell apart; the first is that of the exact curves.
COLOURS = ("#4a7fc1", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8a5cd0", "#777777")
POINTS = 5
NOWHERE = -1.0  # no one design is marked on the charts of several
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


def compared(now: State) -> tuple[Case, ...]:
    """The pinned cases, and the one on the page where it is none of them."""
    return tuple(dict.fromkeys((*now.pins, now.case)))


def named(case: Case) -> str:
    """A case in words: the design, and how it is used where that is not the usual way."""
    extra = {k: v for k, v in case.to_query().items() if k in ("batch", "mode", "dtype")}
    return ", ".join(
        [case.design.titled(case.design.base), *(f"{k}={v}" for k, v in extra.items())]
    )


def table(cases: Sequence[Case]) -> str:
    """The figures as HTML, each against the first design's."""
    heads = "".join(
        f'<th scope="col"><i style="background:{colour}"></i>{escape(named(case))}'
        f"<br><small>{escape(case.design.family.title)}</small></th>"
        for case, colour in zip(cases, COLOURS, strict=False)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
        for name, cells in _rows(cases)
    )
    return (
        f'{STYLE}<div class="compared"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rows(cases: Sequence[Case]) -> Iterator[tuple[str, Iterator[str]]]:
    found = [results.profiled(case) for case in cases]
    for name, read, write in ROWS:
        yield name, (_figure(profile, found[0], name, read, write) for profile in found)
    yield "Latency, measured", map(_latency, cases, [cases[0]] * len(cases))
    yield "Published", map(_published, cases)
    for name, texts in differing(cases).items():
        yield name, (_cell(text, "") for text in texts)


def _figure(
    found: Profile, first: Profile, name: str, read: Read, write: Callable[[float], str]
) -> str:
    """A figure and how it differs from the first design's, where both have it."""
    if name == TRAINING and not can_train(found):
        return _cell("–", training_memory_text(found))
    compared = found is not first and (name != TRAINING or can_train(first))
    value = read(found)
    return _cell(write(value), change(value, read(first), write) if compared else "")


def _cell(value: str, note: str) -> str:
    below = f"<small>{escape(note)}</small>" if note else ""
    return f"<td><b>{escape(value)}</b>{below}</td>"


def _latency(case: Case, first: Case) -> str:
    point, base = LEDGER[case], LEDGER[first]
    if not isinstance(point, Measurement):
        return _cell("–", str(point) if point else "not measured yet")
    value, band, under_load = latency_text.format_latency(point, case.device)
    below = "; ".join(filter(None, (band, under_load)))
    if case == first or not isinstance(base, Measurement):
        return _cell(value, below)
    against = change(idle_s(point, case), idle_s(base, first), units.seconds)
    return _cell(value, f"{against} · {below}")


def idle_s(point: Measurement, case: Case) -> float:
    """The seconds that are stated of it: measured, or under load expected of an idle machine."""
    expected = idle_latency(point, case.device)
    return expected.seconds if expected else point.median_s


def _published(case: Case) -> str:
    """The results of the preset that a design is, or comes from: the second are not its own."""
    design = case.design
    results = [r for r in design.family.guide.results if r.preset == design.base.name]
    told = "; ".join(f"{r.metric} {r.value:g} {r.unit} ({r.source})" for r in results)
    if not told:
        return _cell("–", "")
    if design.preset:
        return _cell("", told)
    return _cell("", f"not published for this variant. {design.base.name}: {told}")


def differing(cases: Sequence[Case]) -> dict[str, list[str]]:
    """The knobs in which the designs differ, as text; those that one does not have are a dash."""
    names = dict.fromkeys(name for case in cases for name in case.design.family.knobs)
    rows = {name: [_value(case, name) for case in cases] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _value(case: Case, name: str) -> str:
    knobs = case.design.family.knobs
    if name not in knobs:
        return "–"
    text = knobs[name].told(case.design.value(name))
    return text if len(text) <= 80 else f"{text[:79]}…"


def shared_axes(cases: Sequence[Case]) -> list[str]:
    """The axes along which every one of the designs can be scaled."""
    first, *others = (axes(case.design) for case in cases)
    return [axis for axis in first if all(axis in other for other in others)]


def scale(cases: Sequence[Case], axis: str) -> str:
    """What is marked off along an axis: a knob that all have, or how many times its own value of it
    a design has, where the knobs differ (a sum of depths is no depth multiplier)."""
    names = {axes(case.design)[axis].name for case in cases}
    return axis if len(names) == 1 else f"{axis}, × that of each design"


def panels(cases: Sequence[Case], axis: str) -> tuple[Panel, ...]:
    """How the figures of all designs grow along an axis, one curve for each."""
    own = scale(cases, axis) != axis
    along = [_neighbours(case, axis, own) for case in cases]
    quantities = ((ROWS[0], "Parameters"), (ROWS[1], "MACs"), (ROWS[2], "Activation memory"))
    drawn = [
        Panel(title, write, tuple(_curves(along, cases, read)), law=" ")
        for (_, read, write), title in quantities
    ]
    (_, read, write), title = ROWS[4], "Training memory"
    trained = [tuple((x, found) for x, found in points if can_train(found)) for points in along]
    return (*drawn, Panel(title, write, tuple(_curves(trained, cases, read)), law=" "))


Along = tuple[tuple[float, Profile], ...]  # where on the axis, and what it costs there


def _neighbours(case: Case, axis: str, own: bool) -> Along:
    knob = axes(case.design)[axis]
    one = position(knob, case.design.value(knob.name)) if own else 1.0
    return tuple(
        (position(knob, design.value(knob.name)) / one, results.profiled(Case(design, case.batch)))
        for design in axis_points(case.design, axis, POINTS)
    )


def _curves(along: Sequence[Along], cases: Sequence[Case], read: Read) -> Iterator[Curve]:
    for points, case, colour in zip(along, cases, COLOURS, strict=False):
        xs, ys = tuple(x for x, _ in points), tuple(float(read(found)) for _, found in points)
        yield Curve(named(case), xs, ys, colour)


def difference(before: Case, after: Case) -> str:
    """What it takes to come from one design's code to the other's, as a unified diff."""
    old, new = (results.exported(case).text.splitlines() for case in (before, after))
    return "\n".join(unified_diff(old, new, named(before), named(after), lineterm="", n=2))
