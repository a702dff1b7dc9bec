"""The commands on one design: what it costs, how fast it is, and what it is taken home as."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import studio
from studio.bench.results import Conditions, LayerTime, Measurement
from studio.cli import options, tables
from studio.cli.files import destination
from studio.cli.inputs import conditions_of, design_of
from studio.cli.output import as_json, written
from studio.knobs import DesignError

if TYPE_CHECKING:
    from studio.family import Design


def families(arguments: argparse.Namespace) -> str:
    """List the families of architectures with their knobs and presets."""
    found = studio.families()
    if arguments.json:
        return as_json([tables.family(key, family) for key, family in found.items()])
    return tables.families(found)


def profile(arguments: argparse.Namespace) -> str:
    """Count the parameters, multiply-accumulates (MACs) and memory of a design."""
    found = studio.profile(design_of(arguments), arguments.batch)
    return as_json(found.to_dict()) if arguments.json else tables.profile(found)


def export(arguments: argparse.Namespace) -> str | bytes:
    """Write a design as a standalone script, a picture or JSON."""
    form = options.export_form(arguments.form, arguments.output)
    path = destination(arguments.output)
    found = studio.export(design_of(arguments), form, level=arguments.level)
    if isinstance(found, bytes) and path is None and sys.stdout.isatty():
        raise DesignError(f"{form} is binary and cannot be shown on a terminal; use -o FILE")
    return written(found, path)


def report(arguments: argparse.Namespace) -> str | bytes:
    """Write a report on a design, as Markdown or as one HTML file."""
    form, path = options.report_form(arguments.output), destination(arguments.output)
    design = design_of(arguments)
    found = _measured(design, arguments) if arguments.measure else None
    text = studio.report(design, form, batch=arguments.batch, measured=found)
    return written(text, path)


def measure(arguments: argparse.Namespace) -> str:
    """Time a forward pass or a training step on this machine."""
    design = design_of(arguments)
    layers = _layers(design, arguments) if arguments.layers else {}
    found = _measured(design, arguments)
    if arguments.json:
        figures = {**studio.profile(design, arguments.batch).to_dict(), **found.to_dict()}
        times = {path: dict(time.to_dict()) for path, time in layers.items()}
        return as_json(figures | ({"layers": times} if arguments.layers else {}))
    return tables.measurement(design, found) + (tables.layers(layers) if layers else "")


def _measured(design: Design, arguments: argparse.Namespace) -> Measurement:
    return studio.measure(design, **conditions_of(arguments), limit_s=arguments.limit_s)


def _layers(design: Design, arguments: argparse.Namespace) -> Mapping[str, LayerTime]:
    from studio import exports
    from studio.bench.timing.layer_times import layer_times

    conditions = Conditions(**conditions_of(arguments))
    subject = exports.subject(design, replace(conditions, mode="inference"), arguments.limit_s)
    return layer_times(subject, conditions)
