"""What the latency of designs that were not measured is expected to be, and what their layers wait
for: by designs of the family that were measured, and before there are enough by the device's
limits alone, which only tell the order.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

from studio.analysis.cost.latency_model import LatencyModel, fit
from studio.analysis.cost.op_costs import OpCost, total_cost
from studio.analysis.cost.roofline import DeviceLimits
from studio.bench.calibration import Calibration, calibrate
from studio.bench.results import Conditions, Measurement
from studio.process.fair_queue import queue_client
from studio.workbench import results
from studio.workbench.measurements import LEDGER
from studio.workbench.workload import Case

ANCHORS = 24  # the latest; older figures are of other hours

_first = Lock()
_POOL = ThreadPoolExecutor(1, "calibration")
_calibrations: dict[tuple[str, str], Future[Calibration]] = {}  # by device and dtype


def begin_calibration(case: Case) -> None:
    """Have the case's device calibrated for its dtype, once a process, and again where that has
    failed; takes two seconds of the measuring process, and none of the page's, which must not wait
    for a cluster that is away."""
    with _first:
        known = _calibrations.get((case.device, case.dtype))
        if known is None or _has_failed(known):
            made = _POOL.submit(_calibrated, case.device, case.dtype)
            _calibrations[case.device, case.dtype] = made


def _calibrated(device: str, dtype: str) -> Calibration:
    conditions = Conditions(device=device, dtype=dtype)
    return queue_client(device, "calibration").submit(calibrate, conditions).result()


def _has_failed(found: Future[Calibration]) -> bool:
    return found.done() and found.exception() is not None


def this_device(case: Case) -> DeviceLimits | None:
    """The limits of the case's device for its dtype; None as long as they are not known."""
    found = _calibrations.get((case.device, case.dtype))
    if found is None or not found.done() or _has_failed(found):
        return None
    rates = found.result()
    return DeviceLimits(
        flops_per_s=rates.flops_per_s,
        bytes_per_s=rates.bytes_per_s,
        seconds_per_op=rates.seconds_per_op,
    )


def learned(here: Case) -> LatencyModel | None:
    """What measured designs of the family, under the same conditions, say of the others."""
    anchors = list(LEDGER.alike(here).items())[-ANCHORS:]
    return _fit(tuple(of(case) for case, _ in anchors), tuple(undisturbed_s(p) for _, p in anchors))


@lru_cache(maxsize=256)
def _fit(works: tuple[OpCost, ...], seconds: tuple[float, ...]) -> LatencyModel | None:
    """Of several looks at the same figures, the first pays."""
    return fit(works, seconds)


def undisturbed_s(point: Measurement) -> float:
    """CPU time where it can be told: a busy machine stretches wall times."""
    return point.median_s if point.cpu_s is None else point.cpu_s


@lru_cache(maxsize=512)
def of(case: Case) -> OpCost:
    return total_cost(results.profiled(case).root)
