"""`studio sweep`: a design along one knob, or over a grid of two, counted and timed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import studio
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.cli import tables
from studio.cli.command_class import command
from studio.cli.inputs import DesignSource
from studio.cli.output import PartialResult, json_text, say
from studio.cli.parameters import options
from studio.cli.parameters.sweep_axes import swept_designs
from studio.knobs import DesignError, Knob
from studio.process.errors import MeasureError, NoMemoryError
from studio.workbench.pending import Waiting

if TYPE_CHECKING:
    from studio.analysis.cost.profiler import Profile
    from studio.bench.sweep import Point
    from studio.family import Design
    from studio.workbench.jobs.running_sweep import Sweep

POLL_S = 0.1  # of a sweep under way
BUDGET_S = 7.0  # of timing, beside building
BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"


@command
@options.design
@options.sweep
@options.conditions
@options.as_json
@options.as_csv
def sweep(
    source: DesignSource,
    axes: Sequence[tuple[str, str]],
    no_measure: bool,
    fresh: bool,
    conditions: Mapping[str, Any],
    limit_s: float | None,
    as_json: bool,
    as_csv: bool,
) -> str:
    """Count and time a design along one knob, or over a grid of two.

    Raises PartialResult with the table so far where it was interrupted while it measured.
    """
    if as_json and as_csv:
        raise DesignError("use --json or --csv, not both; see studio sweep --help")
    start = source.read()
    knobs = [start.family.knob(start.config, name) for name, _ in axes]
    designs = swept_designs(start, knobs, [values for _, values in axes], say)
    profiles = [studio.profile(design, conditions["batch"]) for design in designs]
    timed: list[Point] = [None] * len(designs)
    interrupted = False
    if not no_measure:
        timed, interrupted = _timed(designs, Conditions(**conditions), limit_s, fresh)
    if timed and all(isinstance(point, MeasureError) for point in timed):
        raise MeasureError(f"nothing was measured: {timed[0]}")
    times = [_measurement(*pair, knobs) for pair in zip(designs, timed, strict=True)]
    points = list(zip(profiles, times, strict=True))
    write = _json if as_json else tables.csv if as_csv else tables.sweep
    result = write(start, knobs, points)
    if interrupted:
        say(_interruption(times))
        raise PartialResult(result)
    return result


def _measurement(design: Design, point: Point, knobs: Sequence[Knob]) -> Measurement | None:
    """The measurement of a point. Says why it has none."""
    if isinstance(point, MeasureError):
        say(f"{_named(design, knobs)} was not measured: {point}")
        return None
    return point


def _json(
    _start: Design,
    knobs: Sequence[Knob],
    points: Sequence[tuple[Profile, Measurement | None]],
) -> str:
    axis = {"axis": knobs[0].name} if len(knobs) == 1 else {"axes": [k.name for k in knobs]}
    return json_text(axis | {"points": [_point(knobs, *point) for point in points]})


def _interruption(times: Sequence[Measurement | None]) -> str:
    """How far an interrupted sweep came, and whether its measurements are on disk."""
    from studio.bench.store import store

    measured = len(times) - times.count(None)
    found = f"interrupted with {measured} of {len(times)} designs measured"
    if not measured:
        return found
    if store().fallback_reason:
        return f"{found}; they could not be kept on disk"
    return f"{found}; they are kept on disk, and the same command continues from there"


def _timed(
    designs: Sequence[Design], conditions: Conditions, limit_s: float | None, fresh: bool
) -> tuple[list[Point], bool]:
    """The measurement of each design, or the error that says why it has none; and whether the sweep
    was interrupted. Unless `fresh`, measurements of an earlier sweep of all of them are reused."""
    from studio import measurable
    from studio.process.backend import canonical_device
    from studio.workbench.workbench import Workbench
    from studio.workbench.workload import Workload

    conditions = replace(conditions, device=canonical_device(conditions.device))
    bench = Workbench()
    points: dict[Design, Point] = {}
    workloads = {design: Workload.under(design, conditions) for design in designs}
    for design in workloads:
        try:
            measurable.subject(design, conditions, limit_s)
        except MeasureError as error:
            points[design] = error
    able = tuple(workload for design, workload in workloads.items() if design not in points)
    interrupted = False
    if able:
        job = bench.sweep(able, budget_s=BUDGET_S, limit_s=limit_s, fresh=fresh)
        interrupted = _wait(job)
        failure = job.error
        if not (failure is None or isinstance(failure, MeasureError)):
            raise failure  # a defect
        for workload, point in zip(able, job.points, strict=True):
            found: Point = point or failure
            if isinstance(found, NoMemoryError):
                found = measurable.out_of_memory_error(workload.design, conditions, found)
            points[workload.design] = found
    return [points[design] for design in designs], interrupted


def _wait(job: Sweep) -> bool:
    """Wait for a sweep, with its progress on a terminal. Returns whether it was interrupted; what
    it has measured by then counts."""
    from tqdm import tqdm

    with tqdm(total=1.0, bar_format=BAR, leave=False, disable=None) as bar:
        try:
            while isinstance(found := job.update(), Waiting):
                measured = sum(isinstance(point, Measurement) for point in job.points)
                bar.set_description(f"{measured} of {len(job.points)} points", refresh=False)
                bar.update(found.progress - bar.n)
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return True
        finally:
            job.cancel()
    return False


def _point(knobs: Sequence[Knob], found: Profile, time: Measurement | None) -> dict[str, Any]:
    """One point of a sweep as JSON; of a grid, the values in the order of its axes."""
    values = [knob.write(found.design.value(knob.name)) for knob in knobs]
    return {
        **({"value": values[0]} if len(values) == 1 else {"values": values}),
        **found.to_dict(),
        "measurement": dict(time.to_dict()) if time else None,
    }


def _named(design: Design, knobs: Sequence[Knob]) -> str:
    return ", ".join(f"{k.name}={k.text(design.value(k.name))}" for k in knobs)
