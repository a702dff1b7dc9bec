"""Whether a design can be measured under given conditions; if not, the nearest that can be.

Checked before anything is built: memory, time limit, memory layout and training batch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from studio.analysis.cost.peak_memory import largest_batch, peak_memory
from studio.analysis.cost.profiler import profile
from studio.analysis.cost.starved_norm import batch_too_small
from studio.bench.conditions import Conditions, Subject, layout_problem
from studio.bench.timing.time_bound import min_duration_s
from studio.codegen.script import Script
from studio.exports import standalone_script
from studio.family import Design
from studio.knobs import Mode
from studio.process.backend import scheduler_address
from studio.process.errors import MeasureError
from studio.process.free_memory import require_free_memory

T = TypeVar("T")
CONDITIONS = Conditions()


def subject(
    design: Design, conditions: Conditions = CONDITIONS, limit_s: float | None = None
) -> Subject:
    """The exported script of a design, ready to be measured.

    Raises MeasureError with the sentence of `measuring_problem`.
    """
    if why := measuring_problem(design, conditions, limit_s):
        raise MeasureError(why)
    return subject_of_script(standalone_script(design))


def subject_of_script(code: Script) -> Subject:
    """The measured text is exactly the exported text."""
    return Subject(code.text, code.config, code.model, code.example)


def measuring_problem(
    design: Design, conditions: Conditions = CONDITIONS, limit_s: float | None = None
) -> str:
    """Why a design cannot be measured, in one sentence with the nearest that works; else empty.

    Reasons: its inputs do not support the layout, the device has too little memory, or it would
    take longer than `limit_s` seconds (default: the limit of the conditions). Takes milliseconds,
    up to a second for the largest models. A training step is simulated first (with Adam, which
    needs the most memory), which takes 0.1 to 6 s, once per design and batch.
    """
    if why := condition_problem(design, conditions):
        return why
    problem = memory_problem(
        _needed(design, conditions.batch, conditions.mode),
        workload_title(design, conditions),
        conditions.device,
        lambda available_bytes: _nearest(design, conditions, available_bytes),
    )
    return problem or time_problem(design, conditions, limit_s)


def workload_title(design: Design, conditions: Conditions) -> str:
    """The workload as error messages name it: `a training step of ViT-B/16 at batch=8`."""
    step = "a training step of " if conditions.mode == "training" else ""
    return f"{step}{design.title} at batch={conditions.batch}"


def condition_problem(design: Design, conditions: Conditions) -> str:
    """Why the design cannot run under these conditions on any device, in one sentence; else empty.

    Either the batch is too small for batch normalisation in training, or the inputs do not support
    the layout.
    """
    if conditions.mode == "training" and (why := batch_too_small(design, conditions.batch)):
        return why
    return layout_problem(profile(design, conditions.batch).inputs, conditions.layout)


def time_problem(design: Design, conditions: Conditions, limit_s: float | None = None) -> str:
    """Why measuring takes too long, in one sentence with a limit that works; else empty.

    Takes milliseconds, up to a second for the largest models.
    """
    limit, needed = limit_s or conditions.limit_s, duration_s(design, conditions)
    if needed <= limit:
        return ""
    return (
        f"{workload_title(design, conditions)} is too slow to time within limit_s={limit:g} on"
        f" {conditions.device}: about {float(f'{needed:.2g}'):,.0f} s or more;"
        f" limit_s={round_limit_s(needed):g} works"
    )


def duration_s(design: Design, conditions: Conditions) -> float:
    """Estimated minimum time to measure the design, in seconds; 0 for an unknown kind of device."""
    return min_duration_s(profile(design, conditions.batch).macs, conditions)


def default_limit_s(design: Design, conditions: Conditions) -> float:
    """The time limit in seconds if none is given: twice the estimate, for a busy machine."""
    return max(conditions.limit_s, 2 * duration_s(design, conditions))


def round_limit_s(needed_s: float) -> float:
    """A round time limit of at least twice an estimate, in seconds: 100 for 38 s."""
    power = 10.0 ** math.floor(math.log10(2 * needed_s))
    return power * next(step for step in (1, 2, 3, 5, 10) if step * power >= 2 * needed_s)


def memory_problem(
    needed_bytes: int,
    what: str,
    device: str = "cpu",
    nearest: Callable[[float], str] = lambda available_bytes: "",
) -> str:
    """The message of `require_free_memory` if there is too little memory; else empty.

    Always empty for a cluster: the free memory of its workers is not known here, so their worker
    process reports that memory ran out.
    """
    if scheduler_address():
        return ""
    try:
        require_free_memory(needed_bytes, what, nearest, device)
    except MeasureError as error:
        return str(error)
    return ""


def out_of_memory_error(
    design: Design, conditions: Conditions, error: MeasureError
) -> MeasureError:
    """The error if memory ran out despite the prediction, with a batch that needs half of it."""
    half = _needed(design, conditions.batch, conditions.mode) / 2
    nearest = _nearest(design, conditions, half)
    advice = f"; {nearest} needs about half" if nearest else ""
    return MeasureError(f"{design.title} at batch={conditions.batch}: {error}{advice}")


def _nearest(design: Design, conditions: Conditions, available_bytes: float = math.inf) -> str:
    """The largest batch that meets the time limit and fits in the available bytes.

    If no batch does, the first knob of an axis whose lower value makes a single example fit.
    """
    if fewer := _smaller_batch(design, conditions, available_bytes):
        return f"batch={fewer}"

    def works(smaller: Design) -> bool:
        return _is_in_time(smaller, 1, conditions) and _fits(
            smaller, 1, conditions.mode, available_bytes
        )

    alone = " with batch=1" if conditions.batch > 1 else ""
    for knob in design.knobs.values():
        lower = design.below(knob.name) if knob.axis else []
        if found := _largest(lower, works):
            return f"{knob.name}={knob.text(found.value(knob.name))}{alone}"
    return ""


def _smaller_batch(design: Design, conditions: Conditions, available_bytes: float) -> int:
    """The largest smaller batch that works; 0 if there is none."""
    below, mode = conditions.batch - 1, conditions.mode
    if mode == "training" and available_bytes < math.inf:
        below, available_bytes = min(below, largest_batch(design, available_bytes, mode)), math.inf
    works = _largest(
        range(below, 0, -1),
        lambda fewer: (
            _is_in_time(design, fewer, conditions) and _fits(design, fewer, mode, available_bytes)
        ),
    )
    return works or 0


def _is_in_time(design: Design, batch: int, conditions: Conditions) -> bool:
    """Whether it can be measured within the time limit."""
    return duration_s(design, replace(conditions, batch=batch)) <= conditions.limit_s


def _fits(design: Design, batch: int, mode: Mode, available_bytes: float) -> bool:
    return available_bytes == math.inf or _needed(design, batch, mode) <= available_bytes


def _largest(candidates: Sequence[T], fits: Callable[[T], bool]) -> T | None:
    """The first candidate that fits; each needs less than the one before it."""
    if not candidates or not fits(candidates[-1]):
        return None
    return candidates[bisect_left(candidates, True, key=fits)]


def _needed(design: Design, batch: int, mode: Mode) -> int:
    """Peak memory in bytes."""
    return peak_memory(design, batch, mode).total
