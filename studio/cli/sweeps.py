"""`studio sweep`: a design along one knob, or over a grid of two, counted and timed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import studio
from studio.bench.results import Conditions, Measurement, Subject
from studio.cli import options, tables
from studio.cli.inputs import conditions_of, design_of
from studio.cli.output import CutShort, as_json, say
from studio.knobs import Knob
from studio.process.errors import MeasureError, NoMemoryError

if TYPE_CHECKING:
    from studio.analysis.cost.profiler import Profile
    from studio.bench.sweep import Point, Points, SweepJob
    from studio.family import Design

LOOK_S = 0.1  # between two looks at a sweep under way
BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"


def sweep(arguments: argparse.Namespace) -> str:
    """Count and time a design along one knob, or over a grid of two.

    Raises CutShort with the table so far where it was interrupted while it measured.
    """
    start = design_of(arguments)
    knobs = [start.family.knob(start.config, name) for name, _ in arguments.axes]
    designs = options.swept(start, knobs, [wanted for _, wanted in arguments.axes], say)
    profiles = [studio.profile(design, arguments.batch) for design in designs]
    timed: list[Point] = [None] * len(designs)
    interrupted = False
    if arguments.measure:
        timed, interrupted = _timed(designs, Conditions(**conditions_of(arguments)), arguments)
    if timed and all(isinstance(point, MeasureError) for point in timed):
        raise MeasureError(f"nothing was measured: {timed[0]}")
    for design, point in zip(designs, timed, strict=True):
        if isinstance(point, MeasureError):
            say(f"{_named(design, knobs)} was not measured: {point}")
    times = (point if isinstance(point, Measurement) else None for point in timed)
    points = list(zip(profiles, times, strict=True))
    result = _written(start, knobs, points, arguments)
    if interrupted:
        say(_left_behind([time for _, time in points]))
        raise CutShort(result)
    return result


def _written(
    start: Design,
    knobs: Sequence[Knob],
    points: Sequence[tuple[Profile, Measurement | None]],
    arguments: argparse.Namespace,
) -> str:
    if arguments.json:
        axis = {"axis": knobs[0].name} if len(knobs) == 1 else {"axes": [k.name for k in knobs]}
        return as_json(axis | {"points": [_point(knobs, *point) for point in points]})
    return (tables.csv if arguments.csv else tables.sweep)(start, knobs, points)


def _left_behind(times: Sequence[Measurement | None]) -> str:
    """What an interrupted sweep says of its measurements."""
    from studio.bench.store import store

    measured = len(times) - times.count(None)
    found = f"interrupted with {measured} of {len(times)} designs measured"
    if not measured:
        return found
    if store().fallback_reason:
        return f"{found}; they could not be kept on disk"
    return f"{found}; they are kept on disk, and the same command continues from there"


def _timed(
    designs: Sequence[Design], asked: Conditions, arguments: argparse.Namespace
) -> tuple[list[Point], bool]:
    """Each design's latency, all timed in turn (or, unless it is to be fresh, as an earlier sweep
    of them has found it), or why it has none; and whether that was interrupted."""
    from studio import exports
    from studio.bench.store import store
    from studio.bench.sweep import SweepJob
    from studio.process.backend import canonical_device
    from studio.process.fair_queue import queue_client

    conditions = replace(asked, device=canonical_device(asked.device))
    points: dict[Design, Point] = dict.fromkeys(designs)
    subjects: dict[Design, Subject] = {}
    for design in points:
        try:
            subjects[design] = exports.subject(design, conditions, arguments.limit_s)
        except MeasureError as error:
            points[design] = error
    on = queue_client(conditions.device)
    job = SweepJob(
        list(subjects.values()),
        conditions,
        on=on,
        store=store(),
        fresh=arguments.fresh,
        limit_s=arguments.limit_s
        or max((exports.default_limit_s(design, conditions) for design in subjects), default=None),
    )
    found, interrupted = _watched(job)
    points.update(zip(subjects, found, strict=True))
    told = [
        exports.out_of_memory_error(design, conditions, point)
        if isinstance(point := points[design], NoMemoryError)
        else point
        for design in designs
    ]
    return told, interrupted


def _watched(job: SweepJob) -> tuple[Points, bool]:
    """What a sweep has found at its end, and whether it was interrupted. Meanwhile a terminal shows
    how far it is."""
    interrupted = False
    with tqdm(total=1.0, bar_format=BAR, leave=False, disable=None) as bar:
        try:
            while not job.done:
                points = job.snapshot()
                measured = sum(isinstance(point, Measurement) for point in points)
                bar.set_description(f"{measured} of {len(points)} points", refresh=False)
                bar.update(job.progress - bar.n)
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            job.cancel()
    if isinstance(failure := job.error, MeasureError):
        return tuple(point or failure for point in job.snapshot()), interrupted
    if failure:
        raise failure
    return job.snapshot(), interrupted


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
