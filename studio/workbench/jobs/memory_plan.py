"""How much memory designs need at their peak, and the largest batch that fits.

The peaks of an axis take a tenth of a second, those of large detectors some seconds: they are
simulated in the sizing process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.analysis.cost.peak_memory import largest_batch, peak_memory, peak_over_batches
from studio.analysis.cost.training_step import Optimizer, PeakMemory
from studio.knobs import Mode
from studio.process.backend import CallExecutor
from studio.process.free_memory import tensor_budget
from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S
from studio.workbench.pending import Pending
from studio.workbench.workload import Workload


@dataclass(frozen=True)
class MemoryRequest:
    """The workloads to compare, the one whose largest batch is wanted, and the memory for it.

    The workloads are `Workload.counted`: a change of device or dtype reuses the plan.
    """

    shown: tuple[Workload, ...]
    here: Workload
    mode: Mode
    optimizer: Optimizer
    available_bytes: float


@dataclass(frozen=True)
class MemoryPlan:
    """The peak of each workload; the largest batch whose tensors fit with the peak there, and the
    largest that fits with the margin that a measurement is given."""

    peaks: tuple[PeakMemory, ...]
    largest: int
    there: PeakMemory
    with_margin: int


class MemoryPlans:
    """Plans by request, for all sessions; of each session the latest request only."""

    def __init__(self, sizing: Callable[[str], CallExecutor]) -> None:
        self._sizing = sizing
        self._tasks = SharedWork[MemoryPlan](64)

    def __call__(self, request: MemoryRequest, session: str) -> Pending[MemoryPlan]:
        return self._tasks(
            request,
            lambda: Call(self._sizing(session).submit(plan, request, limit_s=SIZING_LIMIT_S)),
            session,
        )


def plan(request: MemoryRequest) -> MemoryPlan:
    """The peaks, all batches of one design together."""
    mode, optimizer, design = request.mode, request.optimizer, request.here.design
    if all(workload.design == design for workload in request.shown):
        batches = tuple(workload.batch for workload in request.shown)
        peaks = peak_over_batches(design, batches, mode, optimizer)
    else:
        peaks = tuple(peak_memory(w.design, w.batch, mode, optimizer) for w in request.shown)
    largest = largest_batch(design, request.available_bytes, mode, optimizer)
    there = peak_over_batches(design, (max(largest, 1),), mode, optimizer)[0]
    spared = tensor_budget(request.available_bytes)
    return MemoryPlan(peaks, largest, there, largest_batch(design, spared, mode, optimizer))
