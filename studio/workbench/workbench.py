"""The workbench: one object that owns all that takes time, for the page, the command line and
notebooks.

    bench = Workbench()
    job = bench.sweep((Workload(design, device="cpu"),))
    while isinstance(job.update(), Waiting): ...
    bench.latency(workload)             # Ready, Waiting, Failed or NotAsked

A server makes one for all its sessions; tests make their own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from studio import measurable
from studio.advice.published import PublishedResult
from studio.advice.requirements import Brief, RecommendationRequest
from studio.analysis.cost.latency_model import LatencyModel
from studio.analysis.cost.roofline import DeviceLimits
from studio.bench.results import Measurement
from studio.bench.shared_jobs import SharedJobs
from studio.bench.store import Store, store
from studio.bench.sweep import Point, measure
from studio.drawing.figure import Figure
from studio.drawing.render.formats import FORMATS
from studio.family import Design
from studio.process import backend
from studio.process.backend import CallExecutor, platforms
from studio.process.errors import MeasureError, NoMemoryError
from studio.process.fair_queue import OpenQueue, queue_client
from studio.tasks import Task
from studio.workbench.arrivals import Arrivals
from studio.workbench.devices import Devices
from studio.workbench.jobs.architect_jobs import ArchitectJobs
from studio.workbench.jobs.auto_benchmark import REST_S
from studio.workbench.jobs.benchmarkable import Explanations, obstacle, subject
from studio.workbench.jobs.layer_times import LayerTimes, Times
from studio.workbench.jobs.measurements import Measurements
from studio.workbench.jobs.memory_plan import MemoryPlan, MemoryPlans, MemoryRequest
from studio.workbench.jobs.predicted_latency import Calibrations, fit_predictor
from studio.workbench.jobs.recommendations import Answer, Documents, Size
from studio.workbench.jobs.running_sweep import Sweep
from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S, SizingProcess
from studio.workbench.jobs.value_tables import ValueQuestion, ValueTable, ValueTables
from studio.workbench.page_runs import PageRuns
from studio.workbench.pending import Failed, NotAsked, Pending, Ready, Waiting
from studio.workbench.priority import Priority
from studio.workbench.results import torchinfo_summary
from studio.workbench.workload import Workload

FIRST_PAINT_S = 0.3  # of figures and graph, in the browser of a new visitor
QUEUED_S = 0.03  # between two polls, for each session that waits
POLLS = 2  # fragments of a session that poll: its latency card, and its chart
SUMMARY_LIMIT_S = 60.0  # of torchinfo, which runs a recurrent network step by step
BUSY_SHARE = 0.5  # of the server's time, for the polls of all sessions


class Workbench:
    """Measurements, sweeps, timings of layers, calibrations, devices, memory plans and the
    architect's answers, with the priority between sessions.

    `runs` tells who asks, and `storage` keeps measurements on disk (by default in the user's
    cache). `queue` gives access to the worker process of a device, `sizing` to the process that
    sizes designs, simulates them and writes reports, both as a session sees them. `list_devices`
    returns the devices of this machine or of the cluster.
    """

    rest_s = REST_S
    first_paint_s = FIRST_PAINT_S

    def __init__(
        self,
        runs: PageRuns | None = None,
        storage: Store | None = None,
        queue: OpenQueue = queue_client,
        sizing: Callable[[str], CallExecutor] | None = None,
        list_devices: Callable[[], tuple[str, ...]] = backend.devices,
    ) -> None:
        sizing = sizing or SizingProcess()
        self.runs = runs or PageRuns()
        self._storage, self._queue, self._sizing = storage, queue, sizing
        self.priority = Priority(self.runs)
        self.arrivals = Arrivals()
        self.measurements = Measurements()
        self.devices = Devices(list_devices)
        self._jobs = SharedJobs()
        self._layer_times = LayerTimes(queue)
        self._calibrations = Calibrations(queue, self.arrivals.wait)
        self._explanations = Explanations(sizing)
        self._memory = MemoryPlans(sizing)
        self._summaries = SharedWork[str](64)
        self._pictures = SharedWork[str | bytes](8)
        self._architect = ArchitectJobs(sizing, queue)
        self._value_tables = ValueTables(sizing)

    @property
    def storage(self) -> Store:
        return self._storage or store()

    # Latency

    def point(self, workload: Workload) -> Point:
        """Its measurement, why there is none, or None where it was not measured yet."""
        return self.measurements[workload]

    def measured(self, workload: Workload) -> Measurement | None:
        point = self.measurements[workload]
        return point if isinstance(point, Measurement) else None

    def latency(self, workload: Workload) -> Pending[Measurement]:
        """Its measurement, which a `sweep` makes; failed where it cannot be measured here."""
        point = self.measurements[workload]
        if isinstance(point, Measurement):
            return Ready(point)
        if isinstance(point, MeasureError):
            return Failed(str(point))
        if why := obstacle(workload):
            return Failed(why)
        job = self._jobs.find(subject(workload), workload.conditions)
        return Waiting(job.progress, job.position, job.eta_s) if job else NotAsked()

    def measure(self, workload: Workload, limit_s: float | None = None) -> Measurement:
        """Measure a workload now, and wait for it. Raises MeasureError, in one sentence, with the
        nearest workload that can be measured."""
        design, conditions = workload.design, workload.conditions
        script = measurable.subject(design, conditions, limit_s)
        limit_s = limit_s or measurable.default_limit_s(design, conditions)
        try:
            executor = self._queue(workload.device)
            return measure(script, conditions, limit_s=limit_s, executor=executor)
        except NoMemoryError as ran_out:
            raise measurable.out_of_memory_error(design, conditions, ran_out) from None

    def explain_obstacle(
        self, workload: Workload, limit_s: float | None = None, session: str = ""
    ) -> Pending[str]:
        """Why a workload cannot be measured, in one sentence with the nearest that can; empty where
        it can. `benchmarkable.obstacle` knows at once whether it can."""
        return self._explanations(workload, limit_s, session)

    def sweep(
        self,
        workloads: tuple[Workload, ...],
        title: str = "",
        budget_s: float = 1.0,
        session: str = "",
        limit_s: float | None = None,
        fresh: bool = False,
    ) -> Sweep:
        """Measure workloads interleaved, for `budget_s` seconds of timing. `limit_s` is what each
        may take in seconds. Stored measurements of an earlier sweep of all of them are used, unless
        it is to be `fresh`, or this workbench has swept them before."""
        job = self._jobs.ask(
            [subject(workload) for workload in workloads],
            workloads[0].conditions,
            budget_s=budget_s,
            queue=self._queue,
            session=session,
            present=partial(self.runs.is_connected, session),
            store=self.storage,
            fresh=fresh or self.measurements.of_one_sweep(workloads),
            limit_s=limit_s
            or max(measurable.default_limit_s(w.design, w.conditions) for w in workloads),
        )
        return Sweep(workloads, job, self.measurements, self.storage, title)

    def forget(self, workloads: tuple[Workload, ...]) -> None:
        """Delete the measurements of these workloads, for everybody, on disk too."""
        conditions = workloads[0].conditions
        subjects = [subject(workload) for workload in workloads]
        self.storage.delete(subjects, conditions, platforms(conditions.device))
        for workload in workloads:
            self.measurements.forget(workload)
            self._layer_times.forget(workload)

    def poll_s(self, shortest: float) -> float:
        """Seconds between two polls of a measurement, at the least `shortest`."""
        return poll_interval_s(shortest, len(self._jobs), self.priority.poll_cost_s)

    # Layers, and predictions

    def layer_times(self, workload: Workload) -> Pending[Times]:
        """The times of its layers by path, which `start_layer_times` measures."""
        return self._layer_times[workload]

    def known_layer_times(self, workload: Workload) -> Times:
        """The times of its layers by path; empty where there are none yet."""
        return self._layer_times.known(workload)

    def start_layer_times(
        self, workload: Workload, session: str = "", limit_s: float | None = None
    ) -> None:
        """Have its layers timed, again where their times are known."""
        self._layer_times.start(workload, session, limit_s)

    def start_calibration(self, workload: Workload, session: str = "") -> None:
        """Have its device calibrated, once the page of a new visitor is there, if the session is
        still connected then."""
        self._calibrations.start(workload, partial(self.runs.is_connected, session))

    def device(self, workload: Workload) -> DeviceLimits | None:
        """The measured peak rates of its device; None while they are not known."""
        return self._calibrations.device(workload)

    def predictor(self, workload: Workload) -> LatencyModel | None:
        """Predicts latencies of its family under its conditions; None with too few measurements."""
        return fit_predictor(workload, self.measurements)

    def value_table(
        self, question: ValueQuestion, hand: float, session: str = ""
    ) -> Pending[ValueTable]:
        """What the page will show at the values of a slider, those nearest to the hand first: as
        far as it is known, with more at each further call."""
        return self._value_tables(question, hand, session)

    def start(self) -> Future[None]:
        """Start the process that sizes designs, which takes seconds."""
        return self._value_tables.start()

    # Memory, and designs for a task

    def peak_memory(self, request: MemoryRequest, session: str = "") -> Pending[MemoryPlan]:
        """The peaks of designs, and the largest batch that fits. An earlier request of the session
        is dropped."""
        return self._memory(request, session)

    def torchinfo_summary(self, workload: Workload, session: str = "") -> Pending[str]:
        """torchinfo's summary of the model, made on the meta device."""
        call = (torchinfo_summary, workload.design, workload.batch)
        return self._summaries(
            call[1:],
            lambda: Call(self._sizing(session).submit(*call, limit_s=SUMMARY_LIMIT_S)),
            session,
        )

    def picture(self, form: str, figure: Figure) -> Pending[str | bytes]:
        """A picture of a layer graph as a file of this form (`drawing.render.formats`)."""
        call = (FORMATS[form], figure)
        return self._pictures(
            (form, figure),
            lambda: Call(self._sizing("").submit(*call, limit_s=SIZING_LIMIT_S)),
        )

    def recommend(self, request: RecommendationRequest, session: str = "") -> Pending[Answer]:
        """Designs for a task and limits, best first. An earlier request of the session is
        dropped."""
        return self._architect.recommend(request, session)

    def published(self, task: Task) -> Pending[tuple[PublishedResult, ...]]:
        """What was published for a task, with what each network costs."""
        return self._architect.published(task)

    def sizes(self, start: Design, brief: Brief, session: str = "") -> Pending[tuple[Size, ...]]:
        """The sizes of a family around a design, with what each costs and whether it fits."""
        return self._architect.sizes(start, brief, session)

    def report(
        self,
        workload: Workload,
        request: RecommendationRequest | None = None,
        link: str = "",
        session: str = "",
    ) -> Pending[Documents]:
        """The report on a workload, with its measurement if there is one; if its design answers
        `request`, the report says why."""
        measured = self.measured(workload)
        return self._architect.report(workload, measured, request, link, session)


def poll_interval_s(shortest: float, waiting: int, poll_cost_s: float) -> float:
    """Seconds between two polls: the more sessions wait, the rarer is news, and the polls of a
    class must leave the server time for its sliders, however slow it is."""
    each_s = max(QUEUED_S, POLLS * poll_cost_s / BUSY_SHARE)
    return max(shortest, each_s * waiting)
