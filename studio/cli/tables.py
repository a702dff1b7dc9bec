"""Figures as text for a shell: aligned columns with units, or bare numbers separated by commas."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from csv import writer
from typing import TYPE_CHECKING, Any

from studio.analysis import units
from studio.bench.results import LayerTime, Measurement
from studio.knobs import Knob
from studio.reporting.latency_text import conditions, iqr, latency

if TYPE_CHECKING:
    from studio.analysis.cost.profiler import Profile
    from studio.bench.store import StoreContents
    from studio.family import Design, Family

    Timed = tuple[Profile, Measurement | None]

LOADED = " *"


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
    head = ("family", "architecture", "knobs", "presets", "tasks")
    rows = (
        (key, f.title, str(len(f.knobs)), str(len(f.presets)), ", ".join(f.guide.tasks))
        for key, f in found.items()
    )
    return _aligned([head, *rows], right=(2, 3))


def family(key: str, family: Family) -> dict[str, Any]:
    """A family as JSON: classes by name, tuples as lists."""
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
    outputs = ", ".join(units.shape(shape) for shape in found.output_shapes)
    saving = found.causal_saving_macs
    causal = f"attention counted in full; skipping its masked half saves up to {saving:,} MACs"
    return _headline(found.design, found.batch) + _aligned(
        (
            ("parameters", f"{found.params:,}"),
            ("trainable", f"{found.trainable_params:,}"),
            ("compute", f"{found.macs:,} MACs ({found.flops:,} FLOPs = 2 × MACs)"),
            *[("", f"causal {causal}")][: bool(saving)],
            ("activations", f"{found.activation_count:,} elements of convolutions and matmuls"),
            ("inference", f"{units.size(found.inference_bytes)} of memory"),
            ("training", _training(found)),
            ("output", outputs),
        )
    )


def _training(found: Profile) -> str:
    from studio.analysis.cost.starved_norm import batch_too_small, training_memory_text  # torch

    why = batch_too_small(found.design, found.batch)
    told = training_memory_text(found)
    return f"{told}: {why}" if why else f"{told} of memory, with Adam"


def choices(
    found: Iterable[tuple[str, Profile, str, str, str, Sequence[str], Sequence[str]]],
) -> str:
    """For each its title, its figures, the share of the budget (empty without one), its knobs
    and the law of its cost (empty where there is none to tell),
    and what is said for (+) and against (-) it."""
    return "\n".join(
        f"{number}. {title}, input {' and '.join(map(units.shape, cost.inputs))}\n"
        f"   {cost.params:,} parameters, {cost.macs:,} MACs"
        + (f"; {share} of the budget\n" if share else "\n")
        + (f"   {knobs}\n" if knobs else "")
        + (f"   cost: {law}\n" if law else "")
        + "".join(f"   + {reason}\n" for reason in reasons)
        + "".join(f"   - {doubt}\n" for doubt in doubts)
        for number, (title, cost, share, knobs, law, reasons, doubts) in enumerate(found, 1)
    )


def measurement(design: Design, found: Measurement) -> str:
    steady = {True: ", none interrupted", False: ", machine busy", None: ""}[found.clean]
    value, band, under_load = latency(found)
    median = f"{units.seconds(found.median_s)} (median of {found.runs} runs{steady})"
    stated = [("latency", f"{value} ({band})"), ("under load", median)]
    compiled = [("compile time", units.seconds(found.compile_s))] if found.compile_s else []
    return _headline(design, found.batch) + _aligned(
        (
            *(stated if under_load else [("latency", median)]),
            ("IQR", iqr(found)),
            *compiled,
            ("first call", units.seconds(found.first_call_s)),
            ("throughput", f"{found.throughput:,.1f} examples/s"),
            ("conditions", ", ".join(conditions(found))),
            ("device", found.device),
        )
    )


def layers(times: Mapping[str, LayerTime]) -> str:
    """A line for each module, in the order in which they are first called."""
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
    """A line for each point; `points` are in the order of the knobs' values."""
    names = [knob.name for knob in knobs]
    head = (*names, "parameters", "MACs", "inference", "training", "latency", "IQR")
    rows = (_point(knobs, *point) for point in points)
    batch = f", batch {points[0][0].batch}" if points else ""
    title = f"{start.full_title}{batch}\n"
    busy = any(time and time.clean is False for _, time in points)
    note = f"{LOADED.strip()} measured while the machine was busy\n" if busy else ""
    return title + _aligned([head, *rows], right=range(len(head))) + note


def csv(start: Design, knobs: Sequence[Knob], points: Sequence[Timed]) -> str:
    """A row for each point, under a row of names; empty cells where not measured."""
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow((*(knob.name for knob in knobs), "batch", *COUNTED, *TIMED))
    rows.writerows(_cells(knobs, *point) for point in points)
    return text.getvalue()


def contents(found: StoreContents, most: int) -> str:
    """What the store of measurements holds."""
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
        units.seconds(time.median_s) + LOADED * (time.clean is False) if time else "-",
        iqr(time) if time else "-",
    )


def _headline(design: Design, batch: int) -> str:
    return f"{design.full_title}, batch {batch}\n"


def _aligned(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells as lines of columns, those numbered in `right` set to the right."""
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
