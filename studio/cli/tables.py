"""Results as text: aligned columns with units for a terminal, CSV and JSON for programs."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from csv import writer
from typing import TYPE_CHECKING, Any

from studio.analysis import units
from studio.bench.results import LayerTime, Measurement
from studio.knobs import Knob
from studio.reporting.latency_text import condition_texts, format_iqr, format_latency

if TYPE_CHECKING:
    from studio.advice.recommend import Choice
    from studio.analysis.cost.profiler import Profile
    from studio.bench.store import StoreContents
    from studio.family import Design, Family

    Timed = tuple[Profile, Measurement | None]

BUSY = "*"  # marks a latency that was measured while the machine was busy
COUNTED = (
    *("params", "trainable_params", "macs", "flops", "activation_count"),
    *("inference_bytes", "training_bytes"),
)
TIMED = (
    *("median_s", "q25_s", "q75_s", "p95_s", "throughput", "runs", "first_call_s", "compile_s"),
    *("cpu_s", "clean", "mode", "dtype", "layout", "compiled", "threads", "device"),
    *("torch_version", "measured_at", "studio_version"),
)


def families(found: Mapping[str, Family]) -> str:
    """One line per family."""
    head = ("family", "architecture", "knobs", "presets", "tasks")
    rows = (
        (key, f.title, str(len(f.knobs)), str(len(f.presets)), ", ".join(f.guide.tasks))
        for key, f in found.items()
    )
    return _aligned([head, *rows], right=(2, 3))


def family(key: str, family: Family) -> dict[str, Any]:
    """A family as JSON values: classes by their names, tuples as lists."""
    knobs = family.knobs
    return {
        "key": key,
        "title": family.title,
        "tasks": list(family.guide.tasks),
        "knobs": [
            {
                "name": knob.name,
                "axis": knob.axis,
                "default": knob.write(knob.default),
                "ge": knob.ge,
                "le": knob.le,
                "step": knob.step,
                "options": [knob.write(option) for option in knob.options],
                "help": knob.help,
                **({"multiple": knob.multiple} if knob.multiple > 1 else {}),
                **({"of": knob.of, "size": knob.size} if knob.size else {}),
            }
            for knob in knobs.values()
        ],
        "presets": [
            {
                "name": preset.name,
                "params": preset.params,
                "source": preset.source,
                "config": {n: knob.write(getattr(preset.config, n)) for n, knob in knobs.items()},
            }
            for preset in family.presets
        ],
    }


def profile(found: Profile) -> str:
    """The costs of a design, one per line."""
    rows = [
        ("parameters", f"{found.params:,}"),
        ("trainable", f"{found.trainable_params:,}"),
        ("compute", f"{found.macs:,} MACs ({found.flops:,} FLOPs = 2 × MACs)"),
    ]
    if saving := found.causal_saving_macs:
        text = "causal attention counted in full; skipping its masked half saves up to"
        rows.append(("", f"{text} {saving:,} MACs"))
    rows += [
        ("activations", f"{found.activation_count:,} elements of convolutions and matmuls"),
        ("inference", f"{units.size(found.inference_bytes)} of memory"),
        ("training", _training_memory(found)),
        ("output", ", ".join(units.shape(shape) for shape in found.output_shapes)),
    ]
    return _headline(found.design, found.batch) + _aligned(rows)


def _training_memory(found: Profile) -> str:
    from studio.analysis.cost.starved_norm import batch_too_small, training_memory_text  # torch

    memory = training_memory_text(found)
    why = batch_too_small(found.design, found.batch)
    return f"{memory}: {why}" if why else f"{memory} of memory, with Adam"


def choices(found: Sequence[Choice], *, limited: bool) -> str:
    """Recommended designs, best first, with the reasons for (+) and against (-) each.

    `limited` adds the share of the budget that each uses.
    """
    return "\n".join(
        "\n".join(_choice(number, choice, limited)) + "\n" for number, choice in enumerate(found, 1)
    )


def _choice(number: int, choice: Choice, limited: bool) -> Iterator[str]:
    from studio.advice.choice_text import format_percent  # torch
    from studio.reporting.latex_to_text import plain_text

    cost = choice.profile
    inputs = " and ".join(map(units.shape, cost.inputs))
    share = f"; {format_percent(choice.share)} of the budget" if limited else ""
    yield f"{number}. {choice.design.family.key}: {choice.title}, input {inputs}"
    yield f"   {cost.params:,} parameters, {cost.macs:,} MACs{share}"
    if choice.knobs:
        yield f"   {choice.knobs}"
    if law := plain_text(choice.cost):
        yield f"   cost: {law}"
    yield from (f"   + {plain_text(reason)}" for reason in choice.reasons)
    yield from (f"   - {plain_text(doubt)}" for doubt in (*choice.doubts, *choice.notes))


def measurement(design: Design, found: Measurement) -> str:
    """A latency and how it was measured, one fact per line."""
    runs = {True: ", none interrupted", False: ", machine busy", None: ""}[found.clean]
    median = f"{units.seconds(found.median_s)} (median of {found.runs} runs{runs})"
    value, band, under_load = format_latency(found)
    rows = [("latency", median)]
    if under_load:
        rows = [("latency", f"{value} ({band})"), ("under load", median)]
    rows.append(("IQR", format_iqr(found)))
    if found.compile_s:
        rows.append(("compile time", units.seconds(found.compile_s)))
    rows += [
        ("first call", units.seconds(found.first_call_s)),
        ("throughput", f"{found.throughput:,.1f} examples/s"),
        ("conditions", ", ".join(condition_texts(found))),
        ("device", found.device),
    ]
    return _headline(design, found.batch) + _aligned(rows)


def layers(times: Mapping[str, LayerTime]) -> str:
    """One line per module, in the order of their first calls."""
    whole_s = times[""].total_s
    head = ("layer", "calls", "self time", "share", "total time")
    rows = (
        (
            path or "(model)",
            str(time.calls),
            units.seconds(time.own_s),
            f"{time.own_s / whole_s:.1%}",
            units.seconds(time.total_s),
        )
        for path, time in times.items()
    )
    return _aligned([head, *rows], right=range(1, len(head)))


def sweep(start: Design, knobs: Sequence[Knob], points: Sequence[Timed]) -> str:
    """One line per point; `points` are in the order of the knobs' values."""
    names = [knob.name for knob in knobs]
    head = (*names, "parameters", "MACs", "inference", "training", "latency", "IQR")
    rows = (_point(knobs, *point) for point in points)
    batch = f", batch {points[0][0].batch}" if points else ""
    title = f"{start.full_title}{batch}\n"
    busy = any(time and time.clean is False for _, time in points)
    note = f"{BUSY} measured while the machine was busy\n" if busy else ""
    return title + _aligned([head, *rows], right=range(len(head))) + note


def csv(start: Design, knobs: Sequence[Knob], points: Sequence[Timed]) -> str:
    """One row per point under a row of names; cells of what was not measured are empty."""
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow((*(knob.name for knob in knobs), "batch", *COUNTED, *TIMED))
    rows.writerows(_cells(knobs, *point) for point in points)
    return text.getvalue()


def contents(found: StoreContents, most: int) -> str:
    """What the store of measurements holds, at most `most` of them."""
    return _aligned(
        (
            ("path", str(found.path)),
            ("measurements", f"{found.measurements:,} (at most {most:,} are kept)"),
            ("reference timings", f"{found.reference_times:,}"),
            ("size", units.size(found.bytes)),
        )
    )


def _cells(knobs: Sequence[Knob], found: Profile, time: Measurement | None) -> Iterator[object]:
    counted, timed = found.to_dict(), time.to_dict() if time else {}
    yield from _values(knobs, found.design)
    yield found.batch
    yield from (counted[name] for name in COUNTED)
    yield from (timed.get(name) for name in TIMED)


def _values(knobs: Sequence[Knob], design: Design) -> Iterator[str]:
    yield from (knob.text(design.value(knob.name)) for knob in knobs)


def _training_size(found: Profile) -> str:
    from studio.analysis.cost.starved_norm import can_train  # torch

    return units.size(found.training_bytes()) if can_train(found) else "-"


def _point(knobs: Sequence[Knob], found: Profile, time: Measurement | None) -> Sequence[str]:
    return (
        *_values(knobs, found.design),
        f"{found.params:,}",
        f"{found.macs:,}",
        units.size(found.inference_bytes),
        _training_size(found),
        _latency(time) if time else "-",
        format_iqr(time) if time else "-",
    )


def _latency(time: Measurement) -> str:
    median = units.seconds(time.median_s)
    return f"{median} {BUSY}" if time.clean is False else median


def _headline(design: Design, batch: int) -> str:
    return f"{design.full_title}, batch {batch}\n"


def _aligned(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells as lines of aligned columns; the columns in `right` are right-aligned."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )
