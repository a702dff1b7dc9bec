"""The measurements made so far, in memory: shared by all sessions.

The store on disk (`studio.bench.store`) is behind them: a sweep looks there before it measures, and
writes there what it has finished.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import NamedTuple

from studio.bench.results import Measurement
from studio.bench.sweep import Point
from studio.process.errors import MeasureError
from studio.workbench.workload import Workload


class Entry(NamedTuple):
    """A measurement (or why there is none), and the number of the finished sweep that it is part
    of; 0 where it is part of none.

    Only the points of one sweep were interleaved, under the same load: only they can be compared.
    """

    point: Point
    sweep: int


NOTHING = Entry(None, 0)


class Measurements:
    """Measurements (or the reasons why there are none) by workload; the newest `limit` stay."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit, self._lock = limit, Lock()
        self._entries: OrderedDict[Workload, Entry] = OrderedDict()
        self._sweeps = count(1)

    def __getitem__(self, workload: Workload) -> Point:
        return self._entries.get(workload, NOTHING).point

    def sweep_of(self, workload: Workload) -> int:
        """The number of the finished sweep that measured it, 0 for none; later ones are greater."""
        return self._entries.get(workload, NOTHING).sweep

    def of_one_sweep(self, workloads: Sequence[Workload]) -> bool:
        """Whether one finished sweep has measured them all."""
        sweeps = {self.sweep_of(workload) for workload in workloads}
        return len(sweeps) == 1 and 0 not in sweeps

    def add(self, workload: Workload, point: Point, sweep: int = 0) -> None:
        """A single measurement never replaces one of a finished sweep, nor a cleaner one."""
        with self._lock:
            if point is None or self.sweep_of(workload) > sweep:
                return
            if not sweep and is_better(self[workload], point):
                return
            self._entries[workload] = Entry(point, sweep)
            self._entries.move_to_end(workload)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def add_all(
        self, workloads: Sequence[Workload], points: Sequence[Point], *, finished: bool
    ) -> None:
        """The points of a sweep; they belong together once it is finished."""
        sweep = next(self._sweeps) if finished else 0
        for workload, point in zip(workloads, points, strict=True):
            self.add(workload, point, sweep)

    def fail(self, workloads: Sequence[Workload], points: Sequence[Point], why: str) -> None:
        """Why those workloads that have no point have none."""
        for workload, point in zip(workloads, points, strict=True):
            if point is None:
                self.add(workload, MeasureError(why))

    def comparable(self, workload: Workload) -> dict[Workload, Measurement]:
        """The measurements of the workload's family under its conditions, at any batch, that a busy
        machine hardly affects (a quiet run, or its CPU time); the latest last."""
        with self._lock:
            known = list(self._entries.items())
        return {
            other: entry.point
            for other, entry in known
            if isinstance(entry.point, Measurement)
            and (entry.point.clean is not False or entry.point.cpu_s is not None)
            and other.design.family is workload.design.family
            and replace(other, design=workload.design, batch=workload.batch) == workload
        }

    def forget(self, workload: Workload) -> None:
        """So that it is measured again."""
        with self._lock:
            self._entries.pop(workload, None)


def is_better(known: Point, found: Point) -> bool:
    """Whether the first is of a quieter machine, or of more runs, than the one that came later."""
    if not (isinstance(known, Measurement) and isinstance(found, Measurement)):
        return isinstance(known, Measurement)
    before, after = ((point.clean is not False, point.runs) for point in (known, found))
    return before > after
