"""Every measurement made so far, shared by all sessions: what one person measured, all can see.

Behind the ledger is the store on disk: a job looks there before it measures, and files what it has
finished.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache, partial
from itertools import count
from threading import Lock
from typing import NamedTuple

from studio import admission
from studio.analysis.cost.peak_memory import peak_memory
from studio.analysis.cost.profiler import Profile
from studio.bench.results import Measurement, Subject
from studio.bench.shared_jobs import SharedJobs
from studio.bench.store import store
from studio.bench.sweep import Point
from studio.process.backend import platforms
from studio.process.errors import MeasureError
from studio.workbench import results
from studio.workbench.priority import PRECEDENCE
from studio.workbench.workload import Case

QUICK_MACS = 60e9  # a second or two a call on one thread; the default U-Net has 48
QUICK_PARAMS = 200e6  # about a second to fill with random weights
PATIENT = 4  # times as much is measured in a sweep, which is asked for and shows how far it is
QUEUED_S = 0.03  # a share of a round, for each who waits
LOOKS = 2  # that a session has: at its headline, and at its chart
BUSY_SHARE = 0.5  # of the server's time, for the looks of all sessions


class Entry(NamedTuple):
    """A figure, and the number of the finished sweep that it is of; 0 where it is of none.

    Only the points of one sweep were timed in turn, under the same load: they alone compare.
    """

    point: Point
    sweep: int


NOTHING = Entry(None, 0)


class Ledger:
    """Figures (or why there is none) by case, at most `limit` of them; the newest stay."""

    def __init__(self, limit: int) -> None:
        self._limit, self._lock = limit, Lock()
        self._points: OrderedDict[Case, Entry] = OrderedDict()

    def __getitem__(self, case: Case) -> Point:
        return self._points.get(case, NOTHING).point

    def sweep(self, case: Case) -> int:
        """The finished sweep that the case's figure is of, 0 for none; later ones are greater."""
        return self._points.get(case, NOTHING).sweep

    def write(self, case: Case, point: Point, sweep: int = 0) -> None:
        """A look does not replace the figure of a finished sweep, nor a better look."""
        if point is None or self.sweep(case) > sweep:
            return
        if not sweep and is_better(self[case], point):
            return
        with self._lock:
            self._points[case] = Entry(point, sweep)
            self._points.move_to_end(case)
            while len(self._points) > self._limit:
                self._points.popitem(last=False)

    def alike(self, case: Case) -> dict[Case, Measurement]:
        """What was measured of the case's family under its conditions, at any batch, and in a way
        that a busy machine hardly moves (a quiet run, or its CPU time); the latest last."""
        with self._lock:
            known = list(self._points.items())
        return {
            other: entry.point
            for other, entry in known
            if isinstance(entry.point, Measurement)
            and (entry.point.clean is not False or entry.point.cpu_s is not None)
            and other.design.family is case.design.family
            and replace(other, design=case.design, batch=case.batch) == case
        }

    def forget(self, case: Case) -> None:
        """So that it is measured again."""
        with self._lock:
            self._points.pop(case, None)


def is_better(known: Point, found: Point) -> bool:
    """Whether a figure is of a quieter machine, or of more runs, than one that came later."""
    if not (isinstance(known, Measurement) and isinstance(found, Measurement)):
        return isinstance(known, Measurement)
    before, after = ((point.clean is not False, point.runs) for point in (known, found))
    return before > after


LEDGER = Ledger(limit=4096)
SWEEPS = count(1)
JOBS = SharedJobs()


class Watch:
    """A job, and the cases that its points are of. What it finds goes into the ledger, until all is
    forgotten: then it ends.

    Sessions that ask for the same share a job, and the jobs of several sessions take turns.
    """

    def __init__(
        self,
        cases: tuple[Case, ...],
        title: str = "",
        budget_s: float = 1.0,
        session: str = "",
        limit_s: float | None = None,
    ) -> None:
        self.cases, self.title = cases, title
        self._cleared = store().clear_count
        self.job = JOBS.ask(
            [subject(case) for case in cases],
            cases[0].conditions,
            budget_s=budget_s,
            session=session,
            present=partial(PRECEDENCE.runs.is_connected, session),
            store=store(),
            fresh=is_swept(cases),
            limit_s=limit_s
            or max(admission.default_limit_s(c.design, c.conditions) for c in cases),
        )

    @property
    def trouble(self) -> str:
        """Why it ended before it had all points, in one sentence; empty where it did not."""
        return f"the sweep stopped: {self.job.error}" if self.job.error else ""

    def look(self) -> bool:
        """Write down what there is by now; whether the job is still at work."""
        if self._cleared != store().clear_count:
            self.job.cancel()
            return False
        working = not self.job.done
        finished = not working and self.job.progress == 1.0 and len(self.cases) > 1
        sweep = next(SWEEPS) if finished else 0
        for case, point in zip(self.cases, self.job.snapshot(), strict=True):
            LEDGER.write(case, point, sweep)
            if self.job.error and point is None:
                LEDGER.write(case, MeasureError(str(self.job.error)))
        return working


def look_s(shortest: float) -> float:
    """Seconds between two looks at a measurement: the longer the queue, the rarer is news in it,
    and the looks of a class must leave the server time for its sliders, however slow it is."""
    each_s = max(QUEUED_S, LOOKS * PRECEDENCE.look_cost_s / BUSY_SHARE)
    return max(shortest, each_s * len(JOBS))


def is_swept(cases: tuple[Case, ...]) -> bool:
    """Whether one finished sweep has timed them all: who asks for it again wants it anew."""
    sweeps = {LEDGER.sweep(case) for case in cases}
    return len(sweeps) == 1 and 0 not in sweeps


@lru_cache(maxsize=256)
def subject(case: Case) -> Subject:
    return admission.subject_of_script(results.exported(case))


def is_quick(profile: Profile) -> bool:
    """Whether it may be measured without being asked for."""
    return _cost(profile) <= 1


def is_timely(profile: Profile) -> bool:
    """Whether it may be measured in a sweep, where others wait for it."""
    return _cost(profile) <= PATIENT


def _cost(profile: Profile) -> float:
    return max(profile.macs / QUICK_MACS, profile.params / QUICK_PARAMS)


def forget(cases: tuple[Case, ...]) -> None:
    """Their figures, of these designs alone; for everybody, on disk too."""
    conditions = cases[0].conditions
    store().delete([subject(case) for case in cases], conditions, platforms(conditions.device))
    for case in cases:
        LEDGER.forget(case)


def obstacle(case: Case, limit_s: float | None = None) -> str:
    """Why it cannot be measured here, within the limit, in one sentence; empty when it can.

    Where a step needs more than its predicted peak, the measuring process runs out of its memory
    and says so.
    """
    design, conditions = case.design, case.conditions
    if case.mode == "inference":
        return admission.measuring_problem(design, conditions, limit_s)
    if why := admission.condition_problem(design, conditions):
        return why
    needed = peak_memory(design, case.batch, "training").total
    crowded = admission.memory_problem(
        needed, admission.workload_title(design, conditions), case.device
    )
    return crowded or admission.time_problem(design, conditions, limit_s)
