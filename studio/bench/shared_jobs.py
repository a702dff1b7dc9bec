"""Equal sweeps of several sessions run once, shared by reference counting."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock
from time import monotonic
from typing import Any

from studio.bench.conditions import Conditions, Subject
from studio.bench.sweep import Points, SweepJob

Present = Callable[[], bool]
JobKey = tuple[tuple[Subject, ...], Conditions, float]  # subjects, conditions, seconds of timing
AWAY_S = 10.0


class JobOwners:
    """The sessions that want a job, by number. When the last one leaves, the job ends and nobody
    can join.

    An owner whose `present` is false counts as gone after `away_s`: a connection may come back.
    """

    def __init__(self, away_s: float = AWAY_S) -> None:
        self._away_s = away_s
        self._present: dict[int, Present] = {}
        self._seen: dict[int, float] = {}
        self._lock = Lock()  # so that nobody joins a job that is ending
        self._over = False

    def __len__(self) -> int:
        return len(self._present)

    def join(self, number: int, present: Present) -> bool:
        """Add an owner. Returns False if the job is over already."""
        with self._lock:
            if not self._over:
                self._seen[number], self._present[number] = monotonic(), present
            return not self._over

    def leave(self, number: int) -> None:
        """Remove an owner. Called from a finalizer, so it must not take locks."""
        self._present.pop(number, None)

    def count_present(self) -> int:
        """The number of owners, after a check of who is still present."""
        for number, present in tuple(self._present.items()):
            if present():
                self._seen[number] = monotonic()
            elif monotonic() - self._seen[number] > self._away_s:
                self.leave(number)
        return 0 if self.close_if_empty() else len(self)

    def close_if_empty(self) -> bool:
        """Close the job if nobody is left. Returns whether it is closed."""
        with self._lock:
            self._over = self._over or not self._present
            return self._over


@dataclass(frozen=True, eq=False)
class SharedJob:
    """A running job and its owners."""

    job: SweepJob
    owners: JobOwners


class JobHandle:
    """One owner's handle on a shared job, with the interface of the job. Cancelling or deleting it
    releases the job.

    A job without owners stops within a second.
    """

    def __init__(self, shared: SharedJob, number: int) -> None:
        self._shared, self._number = shared, number
        self._last: tuple[float, Points] | None = None  # progress and points when it was released
        weakref.finalize(self, shared.owners.leave, number).atexit = False

    @property
    def job(self) -> SweepJob:
        """The job, which other owners may have too."""
        return self._shared.job

    def snapshot(self) -> Points:
        """The latest measurements, in the order of the subjects."""
        return self._last[1] if self._last else self.job.snapshot()

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self._last[0] if self._last else self.job.progress

    @property
    def position(self) -> int:
        """How many rounds of other sessions are before its next one."""
        return 0 if self._last else self.job.position

    @property
    def eta_s(self) -> float | None:
        """Estimated seconds left; None before there is an estimate."""
        return 0.0 if self._last else self.job.eta_s

    @property
    def done(self) -> bool:
        """Whether it has ended: finished, cancelled or failed."""
        return self._last is not None or self.job.done

    @property
    def error(self) -> Exception | None:
        """Why the whole sweep failed, if it did."""
        return None if self._last else self.job.error

    def cancel(self) -> None:
        """Release the job. The last owner stops it at once; the measurements so far stay."""
        owners = self._shared.owners
        self._last = (self.job.progress, self.job.snapshot())
        owners.leave(self._number)
        if owners.close_if_empty():
            self.job.cancel()


class SharedJobs:
    """The running jobs, by request. Their owners may be away for `away_s` seconds."""

    def __init__(self, away_s: float = AWAY_S) -> None:
        self._away_s = away_s
        self._lock = Lock()
        self._numbers = count()
        self._running: dict[JobKey, SharedJob] = {}

    def __len__(self) -> int:
        """How many handles on running jobs there are."""
        return sum(len(s.owners) for s in tuple(self._running.values()) if not s.job.done)

    def find(self, subject: Subject, conditions: Conditions) -> SweepJob | None:
        """A running job that measures this subject, if there is one."""
        running = tuple(self._running.items())
        jobs = (shared.job for key, shared in running if subject in key[0] and key[1] == conditions)
        return next((job for job in jobs if not job.done), None)

    def ask(
        self,
        subjects: Sequence[Subject],
        conditions: Conditions,
        *,
        budget_s: float,
        present: Present = lambda: True,
        **rules: Any,
    ) -> JobHandle:
        """A handle on the job for this request; starts it if there is none.

        `present` returns whether the session is still connected. `rules` are arguments of
        `SweepJob`; its rounds are queued for the session that asked first.
        """
        key: JobKey = (tuple(subjects), conditions, budget_s)
        number = next(self._numbers)
        with self._lock:
            self._running = {k: s for k, s in self._running.items() if s.owners and not s.job.done}
            shared = self._running.get(key)
            if shared is None or not shared.owners.join(number, present):
                owners = JobOwners(self._away_s)
                owners.join(number, present)
                job = SweepJob(
                    key[0], conditions, budget_s=budget_s, demand=owners.count_present, **rules
                )
                shared = self._running[key] = SharedJob(job, owners)
        return JobHandle(shared, number)
