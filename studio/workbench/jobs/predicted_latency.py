"""The predicted latency of workloads that were not measured: fitted to measured designs of the
family, or before there are enough of them the roofline of the device, which only ranks designs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

from studio.analysis.cost.latency_model import LatencyModel, fit
from studio.analysis.cost.op_costs import OpCost, total_cost
from studio.analysis.cost.profiler import profile
from studio.analysis.cost.roofline import DeviceLimits
from studio.bench.calibration import Calibration, calibrate
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.workbench.jobs.measurements import Measurements
from studio.workbench.workload import Workload

LATEST = 24  # measurements that are fitted; older ones are of other hours


class Calibrations:
    """The measured peak rates of devices, by device and dtype.

    A calibration takes two seconds of the worker process and none of the page's, which must not
    wait for a cluster that is away. `wait` returns when one may begin.
    """

    def __init__(
        self, queue: Callable[[str, str], CallExecutor], wait: Callable[[], None] = lambda: None
    ) -> None:
        self._queue, self._wait, self._lock = queue, wait, Lock()
        self._pool = ThreadPoolExecutor(1, "calibration")
        self._tasks: dict[tuple[str, str], Future[Calibration]] = {}

    def start(self, workload: Workload, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Have the workload's device calibrated for its dtype, unless that is done or under way.
        Where it is not wanted any more when it may begin, the next to ask has it."""
        key = (workload.device, workload.dtype)
        with self._lock:
            task = self._tasks.get(key)
            if task is None or _has_failed(task):
                self._tasks[key] = self._pool.submit(self._calibrate, *key, is_wanted)

    def device(self, workload: Workload) -> DeviceLimits | None:
        """The peak rates of the workload's device for its dtype; None while they are not known."""
        task = self._tasks.get((workload.device, workload.dtype))
        if task is None or not task.done() or _has_failed(task):
            return None
        rates = task.result()
        return DeviceLimits(
            flops_per_s=rates.flops_per_s,
            bytes_per_s=rates.bytes_per_s,
            seconds_per_op=rates.seconds_per_op,
        )

    def _calibrate(self, device: str, dtype: str, is_wanted: Callable[[], bool]) -> Calibration:
        self._wait()
        if not is_wanted():
            raise MeasureError("nobody waits for it")
        conditions = Conditions(device=device, dtype=dtype)
        return self._queue(device, "calibration").submit(calibrate, conditions).result()


def _has_failed(task: Future[Calibration]) -> bool:
    return task.done() and task.exception() is not None


def fit_predictor(workload: Workload, measurements: Measurements) -> LatencyModel | None:
    """Predicts the family's latency under the workload's conditions; None with too few
    measurements."""
    known = list(measurements.comparable(workload).items())[-LATEST:]
    costs = tuple(op_cost(other) for other, _ in known)
    return _fit(costs, tuple(undisturbed_s(point) for _, point in known))


@lru_cache(maxsize=256)
def _fit(costs: tuple[OpCost, ...], seconds: tuple[float, ...]) -> LatencyModel | None:
    return fit(costs, seconds)


def undisturbed_s(point: Measurement) -> float:
    """CPU time where it is known: a busy machine stretches wall times."""
    return point.median_s if point.cpu_s is None else point.cpu_s


def op_cost(workload: Workload) -> OpCost:
    """FLOPs, bytes and number of operations of a forward pass."""
    return _op_cost(workload.counted)


@lru_cache(maxsize=512)
def _op_cost(counted: Workload) -> OpCost:
    return total_cost(profile(counted.design, counted.batch).root)
