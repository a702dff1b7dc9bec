"""The commands on one design: its costs, its latency, its code, pictures and report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import studio
from studio.bench.conditions import Conditions
from studio.bench.results import LayerTime
from studio.cli import tables
from studio.cli.command_class import command
from studio.cli.files import destination
from studio.cli.inputs import DesignSource
from studio.cli.output import json_text, to_file
from studio.cli.parameters import options
from studio.knobs import DesignError

if TYPE_CHECKING:
    from studio.family import Design


@command
@options.as_json
def families(as_json: bool) -> str:
    """List the families of architectures with their knobs and presets."""
    found = studio.families()
    if as_json:
        return json_text([tables.family(key, family) for key, family in found.items()])
    return tables.families(found)


@command
@options.design
@options.batch
@options.as_json
def profile(source: DesignSource, batch: int, as_json: bool) -> str:
    """Count the parameters, multiply-accumulates (MACs) and memory of a design."""
    found = studio.profile(source.read(), batch)
    return json_text(found.to_dict()) if as_json else tables.profile(found)


@command
@options.design
@options.export
def export(source: DesignSource, form: str | None, level: int, output: Path | None) -> str | bytes:
    """Write a design as a standalone script, a picture or JSON."""
    chosen = options.export_form(form, output)
    path = destination(output)
    found = studio.export(source.read(), chosen, level=level)
    if isinstance(found, bytes) and path is None and sys.stdout.isatty():
        raise DesignError(f"{chosen} is binary and cannot be shown on a terminal; use -o FILE")
    return to_file(found, path)


@command
@options.design
@options.conditions
@options.report
def report(
    source: DesignSource,
    conditions: Mapping[str, Any],
    limit_s: float | None,
    output: Path | None,
    measure: bool,
) -> str | bytes:
    """Write a report on a design, as Markdown or as one HTML file."""
    form, path = options.report_form(output), destination(output)
    design = source.read()
    found = studio.measure(design, **conditions, limit_s=limit_s) if measure else None
    text = studio.report(design, form, batch=conditions["batch"], measured=found)
    return to_file(text, path)


@command
@options.design
@options.conditions
@options.as_json
@options.layers
def measure(
    source: DesignSource,
    conditions: Mapping[str, Any],
    limit_s: float | None,
    as_json: bool,
    layers: bool,
) -> str:
    """Time a forward pass or a training step on this machine."""
    design = source.read()
    times = _layer_times(design, Conditions(**conditions), limit_s) if layers else {}
    found = studio.measure(design, **conditions, limit_s=limit_s)
    if as_json:
        figures = {**studio.profile(design, conditions["batch"]).to_dict(), **found.to_dict()}
        of_layers = {path: dict(time.to_dict()) for path, time in times.items()}
        return json_text(figures | ({"layers": of_layers} if layers else {}))
    return tables.measurement(design, found) + (tables.layers(times) if times else "")


def _layer_times(
    design: Design, conditions: Conditions, limit_s: float | None
) -> Mapping[str, LayerTime]:
    from studio import measurable
    from studio.workbench.pending import wait_for
    from studio.workbench.workbench import Workbench
    from studio.workbench.workload import Workload

    measurable.subject(design, replace(conditions, mode="inference"), limit_s)
    bench, workload = Workbench(), Workload.under(design, conditions)
    bench.start_layer_times(workload, limit_s=limit_s)
    return wait_for(lambda: bench.layer_times(workload))
