"""How much memory workloads need at their peak, and the largest batch that fits.

The neighbours' peaks take a tenth of a second, those of large detectors a second: they are worked
out in a thread of their own, one for the whole server.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from studio.analysis.cost.peak_memory import largest_batch, peak_memory, peak_over_batches
from studio.analysis.cost.training_step import Optimizer, PeakMemory
from studio.knobs import Mode
from studio.process.free_memory import tensor_budget
from studio.workbench.pending import Failed, Pending, Ready, Waiting
from studio.workbench.workload import Workload

SESSIONS = 256  # whose latest request is remembered
WAIT_S = 0.25  # a blink; what takes longer is shown when it comes


@dataclass(frozen=True)
class MemoryRequest:
    """The workloads to compare, the one whose largest batch is wanted, and the memory for it."""

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


class MemoryPlanner:
    """Plans for all sessions, one at a time; of each session the latest request only."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "memory")
        self._latest: OrderedDict[str, tuple[MemoryRequest, Future[MemoryPlan]]] = OrderedDict()

    def __call__(self, request: MemoryRequest, session: str) -> Pending[MemoryPlan]:
        """A request that has not begun gives way to the session's next one."""
        known = self._latest.get(session)
        if known is None or known[0] != request:
            if known:
                known[1].cancel()
            known = self._latest[session] = (request, self._pool.submit(plan, request))
            self._latest.move_to_end(session)
            while len(self._latest) > SESSIONS:
                self._latest.popitem(last=False)
            wait([known[1]], WAIT_S)
        task = known[1]
        if not task.done():
            return Waiting()
        error = task.exception()
        return Failed(str(error)) if error else Ready(task.result())


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
