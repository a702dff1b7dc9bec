"""Which workloads may be measured: without being asked, in a sweep, or at all."""

from __future__ import annotations

from studio import admission
from studio.analysis.cost.peak_memory import peak_memory
from studio.analysis.cost.profiler import Profile
from studio.bench.conditions import Subject
from studio.workbench import results
from studio.workbench.workload import Workload

QUICK_MACS = 60e9  # a second or two a call on one thread; the default U-Net has 48
QUICK_PARAMS = 200e6  # about a second to fill with random weights
SWEPT = 4  # times as much is measured in a sweep, which is asked for and shows its progress


def subject(workload: Workload) -> Subject:
    """The exported script of a workload, as the worker process runs it."""
    return admission.subject_of_script(results.script_of(workload))


def is_quick(profile: Profile) -> bool:
    """Whether it may be measured without being asked for."""
    return _cost(profile) <= 1


def is_timely(profile: Profile) -> bool:
    """Whether it may be measured in a sweep, where others wait for it."""
    return _cost(profile) <= SWEPT


def _cost(profile: Profile) -> float:
    return max(profile.macs / QUICK_MACS, profile.params / QUICK_PARAMS)


def obstacle(workload: Workload, limit_s: float | None = None) -> str:
    """Why it cannot be measured here, within the limit, in one sentence; empty when it can.

    Where a training step needs more than its predicted peak, the worker process runs out of its
    memory and says so.
    """
    design, conditions = workload.design, workload.conditions
    if workload.mode == "inference":
        return admission.measuring_problem(design, conditions, limit_s)
    if why := admission.condition_problem(design, conditions):
        return why
    needed = peak_memory(design, workload.batch, "training").total
    crowded = admission.memory_problem(
        needed, admission.workload_title(design, conditions), workload.device
    )
    return crowded or admission.time_problem(design, conditions, limit_s)
