"""A sweep under way: one workload, or several that are measured interleaved."""

from __future__ import annotations

from dataclasses import dataclass

from studio.bench.shared_jobs import JobHandle
from studio.bench.store import Store
from studio.bench.sweep import Points
from studio.workbench.jobs.measurements import Measurements
from studio.workbench.pending import Failed, Pending, Ready, Waiting
from studio.workbench.workload import Workload

Workloads = tuple[Workload, ...]


class Sweep:
    """A job of the worker process and the workloads that it measures. `update` copies new results
    into the measurements, until all stored measurements are deleted: then it ends.

    Sessions that ask for the same share a job; the jobs of several sessions take turns.
    """

    def __init__(
        self,
        workloads: Workloads,
        job: JobHandle,
        measurements: Measurements,
        storage: Store,
        title: str = "",
    ) -> None:
        self.workloads, self.title = workloads, title
        self._job, self._measurements = job, measurements
        self._storage, self._deletions = storage, storage.clear_count

    def update(self) -> Pending[Workloads]:
        """Take over what it has found by now, and tell how far it is."""
        if self._deletions != self._storage.clear_count:
            self._job.cancel()
            return Ready(self.workloads)
        is_done = self._job.done
        is_whole = is_done and self._job.progress == 1.0 and len(self.workloads) > 1
        points = self._job.snapshot()
        self._measurements.add_all(self.workloads, points, finished=is_whole)
        if error := self._job.error:
            self._measurements.fail(self.workloads, points, str(error))
            return Failed(f"the sweep stopped: {error}")
        return Ready(self.workloads) if is_done else self.progress

    @property
    def progress(self) -> Waiting[Workloads]:
        return Waiting(self._job.progress, self._job.position, self._job.eta_s)

    @property
    def points(self) -> Points:
        """What it has found by now, in the order of the workloads."""
        return self._job.snapshot()

    @property
    def error(self) -> Exception | None:
        """Why the whole sweep failed, if it did."""
        return self._job.error

    def cancel(self) -> None:
        """Stop it, unless another session wants it too; what it has measured stays."""
        self._job.cancel()


@dataclass
class SessionSweep:
    """The sweep that a session started last, and why it ended early, in one sentence."""

    job: Sweep | None = None
    trouble: str = ""

    def update(self) -> Sweep | None:
        """The sweep while it is under way; what it has found so far is taken over."""
        if self.job:
            found = self.job.update()
            if isinstance(found, Waiting):
                return self.job
            self.trouble = found.reason if isinstance(found, Failed) else ""
            self.job = None  # an old sweep must not overwrite newer measurements
        return None

    def start(self, job: Sweep) -> None:
        self.job, self.trouble = job, ""
