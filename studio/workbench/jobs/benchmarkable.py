"""Which workloads may be benchmarked: automatically, in a sweep, or at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from studio import measurable
from studio.analysis.cost.peak_memory import peak_memory
from studio.analysis.cost.profiler import Profile
from studio.bench.conditions import Conditions, Subject
from studio.family import Design
from studio.process.backend import CallExecutor, scheduler_address
from studio.process.free_memory import free_bytes
from studio.workbench import results
from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S
from studio.workbench.pending import Pending, Ready, Waiting
from studio.workbench.workload import Workload

QUICK_MACS = 60e9  # a second or two a call on one thread; the default U-Net has 48
QUICK_PARAMS = 200e6  # about a second to fill with random weights
SWEPT = 4  # times as much is measured in a sweep, which a user starts and which shows its progress
CHANGE = 1.2  # factor of free memory after which an explanation is outdated


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
        self._work = SharedWork[Explanation](256)

    def __call__(self, workload: Workload, limit_s: float | None, session: str) -> Pending[str]:
        """Searched again after the free memory has changed by a fifth."""
        question = (workload.design, workload.conditions, limit_s)
        known = self._work.known(question)
        if isinstance(known, Ready) and known.value.is_outdated(workload.device):
            self._work.forget(question)
        found = self._work(question, lambda: self._start(question, session), session)
        match found:
            case Ready(explanation):
                return Ready(explanation.sentence)
            case Waiting():
                return Waiting(ahead=found.ahead)
            case _:
                return found

    def _start(self, question: Question, session: str) -> Call[Explanation]:
        call = self._sizing(session).submit(explain, *question, limit_s=SIZING_LIMIT_S)
        return Call(call)


class Explanation(NamedTuple):
    """Why a workload cannot be measured, and the memory that was free then, in bytes."""

    sentence: str
    free: int

    def is_outdated(self, device: str) -> bool:
        """Whether the free memory has changed by a fifth since."""
        now = _free(device)
        return max(now, self.free) > CHANGE * min(now, self.free)


Question = tuple[Design, Conditions, float | None]


def explain(design: Design, conditions: Conditions, limit_s: float | None) -> Explanation:
    """Runs in the sizing process."""
    free = _free(conditions.device)
    return Explanation(measurable.measuring_problem(design, conditions, limit_s), free)


def _free(device: str) -> int:
    """The free memory in bytes; 1 for a cluster, of which it is not known."""
    return 1 if scheduler_address() else max(1, free_bytes(device))
