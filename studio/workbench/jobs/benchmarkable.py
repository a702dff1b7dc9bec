"""Which workloads may be benchmarked: automatically, in a sweep, or at all."""

from __future__ import annotations

import math
from collections.abc import Callable

from studio import measurable
from studio.analysis.cost.peak_memory import peak_memory
from studio.analysis.cost.profiler import Profile
from studio.bench.conditions import Subject
from studio.process.backend import CallExecutor, scheduler_address
from studio.process.free_memory import free_bytes
from studio.workbench import results
from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.pending import Pending
from studio.workbench.workload import Workload

QUICK_MACS = 60e9  # a second or two a call on one thread; the default U-Net has 48
QUICK_PARAMS = 200e6  # about a second to fill with random weights
SWEPT = 4  # times as much is measured in a sweep, which a user starts and which shows its progress
STEPS = 4  # of free memory for each doubling, that count as a change
LIMIT_S = 180.0  # of a search for the nearest workload that fits


def subject(workload: Workload) -> Subject:
    """The exported script of a workload, as the worker process runs it."""
    return measurable.subject_of_script(results.script_of(workload))


def is_quick(profile: Profile) -> bool:
    """Whether it may be benchmarked automatically."""
    return _cost(profile) <= 1


def is_timely(profile: Profile) -> bool:
    """Whether it may be measured in a sweep, where others wait for it."""
    return _cost(profile) <= SWEPT


def _cost(profile: Profile) -> float:
    return max(profile.macs / QUICK_MACS, profile.params / QUICK_PARAMS)


def obstacle(workload: Workload, limit_s: float | None = None) -> str:
    """Why it cannot be benchmarked here, within the limit, in one sentence; empty when it can.

    Known at once: the memory that it needs is that of the headline figures. Where a training step
    needs more than predicted, the worker process runs out of its memory and says so.
    """
    design, conditions = workload.design, workload.conditions
    if why := measurable.condition_problem(design, conditions):
        return why
    needed = peak_memory(design, workload.batch, workload.mode).total
    crowded = measurable.memory_problem(
        needed, measurable.workload_title(design, conditions), workload.device
    )
    return crowded or measurable.time_problem(design, conditions, limit_s)


class Explanations:
    """Obstacles with the nearest workload that fits, which is searched in the sizing process: for a
    large detector that takes ten seconds."""

    def __init__(self, sizing: Callable[[str], CallExecutor]) -> None:
        self._sizing = sizing
        self._tasks = SharedWork[str](256)

    def __call__(self, workload: Workload, limit_s: float | None, session: str) -> Pending[str]:
        """Searched again where the free memory has changed much."""
        arguments = (workload.design, workload.conditions, limit_s)
        free = 0 if scheduler_address() else _free_step(workload.device)
        return self._tasks(
            (*arguments, free),
            lambda: Call(
                self._sizing(session).submit(
                    measurable.measuring_problem, *arguments, limit_s=LIMIT_S
                )
            ),
            session,
        )


def _free_step(device: str) -> int:
    """The free memory in steps of a fifth, which small changes leave as it is."""
    return round(STEPS * math.log2(max(1, free_bytes(device))))
