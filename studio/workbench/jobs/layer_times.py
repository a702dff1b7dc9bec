"""The time of each layer: measured when asked for, in the worker process, and shared by all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from studio.bench.results import LayerTime
from studio.bench.timing.layer_times import layer_times, unsupported_reason
from studio.process.backend import CallExecutor
from studio.workbench.jobs.benchmarkable import obstacle, subject
from studio.workbench.jobs.shared_work import to_pending
from studio.workbench.pending import NotAsked, Pending, Ready
from studio.workbench.workload import Workload

Times = Mapping[str, LayerTime]  # by the path of a module, as in `named_modules()`
BUDGET_S = 1.5
CACHED = 128  # workloads


class LayerTimes:
    """The latest timings of layers, finished and under way, by workload."""

    def __init__(self, queue: Callable[[str, str], CallExecutor]) -> None:
        self._queue, self._lock = queue, Lock()
        self._pool = ThreadPoolExecutor(CACHED, "layers")  # of threads that only wait
        self._tasks: OrderedDict[Workload, Future[Times]] = OrderedDict()

    def __getitem__(self, workload: Workload) -> Pending[Times]:
        task = self._tasks.get(workload)  # looked up once: another session may push it out
        return to_pending(task) if task else NotAsked()

    def start(self, workload: Workload, session: str, limit_s: float | None = None) -> None:
        """Have the layers timed, again where their times are known."""
        with self._lock:
            known = self._tasks.get(workload)
            if known is None or known.done():
                self._tasks[workload] = self._pool.submit(self._measure, workload, session, limit_s)
            self._tasks.move_to_end(workload)
            while len(self._tasks) > CACHED:
                self._tasks.popitem(last=False)

    def known(self, workload: Workload) -> Times:
        """The times by path; empty where there are none, or none yet."""
        found = self[workload]
        return found.value if isinstance(found, Ready) else {}

    def forget(self, workload: Workload) -> None:
        with self._lock:
            self._tasks.pop(workload, None)

    def _measure(self, workload: Workload, session: str, limit_s: float | None) -> Times:
        return layer_times(
            subject(workload),
            workload.conditions,
            budget_s=BUDGET_S,
            limit_s=limit_s,
            executor=self._queue(workload.device, session),
        )


def layer_obstacle(workload: Workload) -> str:
    """Why the layers cannot be timed here, in one sentence; empty where they can."""
    return unsupported_reason(workload.conditions) or obstacle(workload)
