"""Measure one design, or all designs along an axis interleaved, with results after every round.

A point has its first result as soon as it is built. Then all points are timed interleaved in short
rounds, which replace the first results and keep ratios and exponents true (an exponent within 0.04
on a loaded machine; timing one point after another gives 0.18-0.27).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from studio.bench.conditions import Conditions, Subject
from studio.bench.progress import Progress
from studio.bench.results import Measurement, Samples
from studio.bench.store import Store
from studio.bench.timing.timing_loop import (
    MAX_READY_BYTES,
    MAX_READY_MODELS,
    MIN_CYCLES,
    measure_round,
)
from studio.process.backend import CallExecutor, platforms
from studio.process.errors import MeasureError
from studio.process.fair_queue import Demand, OpenQueue, QueuedCall, queue_client
from studio.process.worker import NoWorkerError

Point = Measurement | MeasureError | None  # None until it is measured
Points = tuple[Point, ...]
Submit = Callable[..., Future[tuple[Samples, ...]]]
MeasureGroup = Callable[
    [Sequence[int], float], tuple[Samples, ...]
]  # point numbers, seconds -> their samples

FIRST_ROUND_S = 0.05  # or three calls
MAX_ROUND_S = 3.0  # of slow models; other sessions wait for it
DEMAND_CHECK_S = 0.5  # between checks whether anybody still wants a job
REFERENCE = Subject(
    (Path(__file__).with_name("timing") / "reference_model.py").read_text("utf-8"),
    "Config",
    "Model",
)
REFERENCE_BYTES = 2**24  # an upper bound of its weights


@dataclass(frozen=True)
class SweepState:
    """The progress of a sweep from 0 to 1, the results so far, and its estimated end."""

    progress: float
    points: Points
    reference: Measurement | None = None
    end_s: float | None = None


def measure(
    subject: Subject,
    conditions: Conditions,
    *,
    budget_s: float = 1.0,
    limit_s: float | None = None,
    executor: CallExecutor | None = None,
) -> Measurement:
    """The latency of one subject, timed for `budget_s` seconds. Raises MeasureError."""
    submit = (executor or queue_client(conditions.device)).submit
    (samples,) = _group_measurer(submit, (subject,), conditions, limit_s)((0,), budget_s)
    return samples.measurement(conditions)


def sweep(
    subjects: Sequence[Subject],
    conditions: Conditions,
    *,
    budget_s: float = 7.0,
    round_s: float = 0.5,
    limit_s: float | None = None,
    executor: CallExecutor | None = None,
) -> Iterator[Points]:
    """The results of all subjects so far, after every round of about `round_s` seconds.

    `budget_s` is the time spent timing, without building; `limit_s` is the time limit of each
    subject. A subject that cannot be measured is a MeasureError in its place. Closing the iterator
    ends the sweep. Raises MeasureError if there is no worker process at all.
    """
    submit = (executor or queue_client(conditions.device)).submit
    ask = _group_measurer(submit, subjects, conditions, limit_s)
    for stage in _sweep_states(len(subjects), conditions, budget_s, round_s, ask):
        yield stage.points


class SweepJob:
    """A sweep in a thread of its own, to be polled.

    A sweep of several designs times the reference model among them. With a `store`, results of an
    earlier sweep of the same designs are used, unless `fresh`; if the machine was busy then, or
    that sweep ended early, they are there at once and measured again. Results are stored after
    every round, unless the store was cleared since the start. `demand` returns how many sessions
    want the job: more of them give it priority, and it stops when there are none. `queue` gives
    access to the device.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        conditions: Conditions,
        *,
        budget_s: float = 7.0,
        round_s: float = 0.5,
        limit_s: float | None = None,
        queue: OpenQueue = queue_client,
        session: str = "",
        store: Store | None = None,
        fresh: bool = False,
        demand: Demand = lambda: 1,
    ) -> None:
        self._subjects, self._conditions = tuple(subjects), conditions
        self._stage = SweepState(0.0, (None,) * len(subjects))
        self._queue, self._session, self._demand = queue, session, demand
        self._executor: CallExecutor | None = None  # connected to in the thread
        self._store, self._fresh = store, fresh
        self._cleared = store.clear_count if store else 0
        self._task: Future[Any] | None = None
        self._cancelled = False
        self._error: Exception | None = None
        anchored = (
            len(subjects) > 1 and not conditions.compiled
        )  # compiling the reference takes a minute
        timed = (*self._subjects, REFERENCE) if anchored else self._subjects
        ask = _group_measurer(self._submit, timed, conditions, limit_s, demand)
        self._rounds = partial(
            _sweep_states, len(subjects), conditions, budget_s, round_s, ask, anchored=anchored
        )
        self._thread = Thread(target=self._run, name="sweep", daemon=True)
        self._thread.start()

    def snapshot(self) -> Points:
        """The latest results, in the order of the subjects."""
        return self._stage.points

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self._stage.progress

    @property
    def position(self) -> int:
        """How many rounds of other sessions are before its next one."""
        task = self._task
        return task.position if isinstance(task, QueuedCall) else 0

    @property
    def eta_s(self) -> float | None:
        """Estimated seconds left, including waiting for others; None before there is an
        estimate."""
        if self.done:
            return 0.0
        end_s = self._stage.end_s
        return None if end_s is None else max(0.0, end_s - monotonic())

    @property
    def done(self) -> bool:
        """Whether it has ended: finished, cancelled or failed."""
        return not self._thread.is_alive()

    @property
    def error(self) -> Exception | None:
        """Why the whole sweep failed, if it did. The error of a single point is in the snapshot."""
        return self._error

    def cancel(self) -> None:
        """Stop at once, also in the middle of a round. The results so far stay."""
        self._cancelled = True
        if self._task:
            self._task.cancel()

    def _submit(self, *call: Any, **rules: Any) -> Future[Any]:
        if self._executor is None:
            device = self._conditions.device
            self._executor = self._queue(device, self._session, self._demand, self._has_no_figure)
        self._task = self._executor.submit(*call, **rules)
        if self._cancelled:  # cancelled between two rounds
            self._task.cancel()
        return self._task

    def _has_no_figure(self) -> bool:
        return not any(self.snapshot())

    def _run(self) -> None:
        try:
            known, is_whole = self._stored_points()
            self._stage = SweepState(float(is_whole), known)
            if is_whole:
                return
            for stage in self._rounds(known=known):
                self._stage = stage
                self._save_partial()
            self._stage = replace(self._stage, progress=1.0)
            self._save_sweep()
        except CancelledError:
            pass
        except Exception as error:  # a thread has no caller to raise to
            self._error = error

    def _stored_points(self) -> tuple[Points, bool]:
        """The stored point of each subject, and whether nothing is left to measure."""
        nothing: Points = (None,) * len(self._subjects)
        if self._store is None or self._fresh:
            return nothing, False
        found = platforms(self._conditions.device)
        figures = self._store.find(self._subjects, self._conditions, found)
        if figures:
            return figures, all(figure.clean is not False for figure in figures)
        return self._store.find_partial(self._subjects, self._conditions, found), False

    def _figures(self) -> Mapping[Subject, Measurement]:
        pairs = zip(self._subjects, self.snapshot(), strict=True)
        return {subject: point for subject, point in pairs if isinstance(point, Measurement)}

    def _save_partial(self) -> None:
        if self._store and self._store.clear_count == self._cleared:
            self._store.save_partial(self._figures(), self._conditions)

    def _save_sweep(self) -> None:
        if self._store is None or self._store.clear_count != self._cleared:
            return
        self._store.save_sweep(self._figures(), self._conditions)
        if self._stage.reference:
            self._store.save_reference_time(self._stage.reference, REFERENCE, self._conditions)


def _group_measurer(
    submit: Submit,
    subjects: Sequence[Subject],
    conditions: Conditions,
    limit_s: float | None,
    demand: Demand = lambda: 1,
) -> MeasureGroup:
    seeds = iter(range(2**31))

    def ask(group: Sequence[int], budget_s: float) -> tuple[Samples, ...]:
        chosen = tuple(subjects[i] for i in group)
        limit = (limit_s or conditions.limit_s) * len(group) + budget_s
        if not demand():
            raise CancelledError
        task = submit(measure_round, chosen, conditions, budget_s, next(seeds), limit_s=limit)
        try:
            # A call cancelled in the queue is not done until its turn comes.
            while not (wait((task,), DEMAND_CHECK_S).done or task.cancelled()):
                if not demand():
                    raise CancelledError
            return task.result()
        finally:
            task.cancel()  # an interrupted caller leaves nothing running

    return ask


def _sweep_states(
    count: int,
    conditions: Conditions,
    budget_s: float,
    round_s: float,
    ask: MeasureGroup,
    *,
    anchored: bool = False,
    known: Points = (),
) -> Iterator[SweepState]:
    """The state of the sweep after every step. The reference model is the last subject.

    A point in `known` needs no first round.
    """
    points: list[Point] = list(known) or [None] * count
    first = {i: _samples_of(p) for i, p in enumerate(points) if isinstance(p, Measurement)}
    new = [i for i in range(count) if i not in first]
    pace = Progress(len(new), budget_s)
    for i in new:
        try:
            (first[i],) = ask((i,), min(FIRST_ROUND_S, budget_s))
            points[i] = first[i].measurement(conditions)
        except NoWorkerError:
            raise
        except MeasureError as error:
            points[i] = error
        share, end_s = pace.record_build()
        yield SweepState(share, tuple(points), end_s=end_s)
    anchor = (count,) if anchored else ()
    first = dict(sorted(first.items()))  # neighbours together
    for done, samples in _interleaved_rounds(first, budget_s, round_s, ask, anchor):
        timed = {i: times.measurement(conditions) for i, times in samples.items()}
        points = [timed.get(i, point) for i, point in enumerate(points)]
        share, end_s = pace.record_round(done)
        yield SweepState(share, tuple(points), timed.get(count), end_s)


def _interleaved_rounds(
    first: Mapping[int, Samples],
    budget_s: float,
    round_s: float,
    ask: MeasureGroup,
    reference: tuple[int, ...] = (),
) -> Iterator[tuple[float, Mapping[int, Samples]]]:
    """The share of the timing that is done, from 0 to 1, and each point's samples, after every
    round."""
    samples: dict[int, Samples] = {}
    groups = deque(_groups(first))
    alone: set[tuple[int, ...]] = set()  # groups that failed together with the reference
    count = unseen = len(groups)
    spent = 0.0
    while groups and (spent < budget_s or unseen > 0):
        group = groups.popleft()
        unseen -= 1
        timed = group + reference if group not in alone and _has_room(group, first) else group
        try:
            times = dict(zip(timed, ask(timed, round_s), strict=True))
        except NoWorkerError:
            raise
        except MeasureError:
            spent += round_s
            groups.extend(_split(group) if group == timed else (group,))
            alone.add(group)
        else:
            spent += sum(new.spent_s for new in times.values())
            samples |= {i: _merge(samples.get(i), new) for i, new in times.items()}
            groups.append(group)
        yield min(1.0, spent / budget_s, 1 - unseen / count), samples


def _samples_of(figure: Measurement) -> Samples:
    """Samples in place of the first round of a stored point. They only decide how points are
    grouped. The weight is unknown: a group that turns out too heavy is split."""
    return Samples(
        walls=(figure.median_s,),
        cpus=(figure.median_s,),
        block=1,
        first_call_s=figure.first_call_s,
        weight_bytes=0,
        device=figure.device,
        torch_version=figure.torch_version,
    )


def _merge(old: Samples | None, new: Samples) -> Samples:
    """Samples of another machine, to which the sweep had to move, are not mixed."""
    return old + new if old and old.device == new.device else new


def _has_room(group: Sequence[int], first: Mapping[int, Samples]) -> bool:
    """Whether the reference model fits in memory beside a group."""
    weight = sum(first[i].weight_bytes for i in group)
    return len(group) < MAX_READY_MODELS and weight + REFERENCE_BYTES <= MAX_READY_BYTES


def _groups(first: Mapping[int, Samples]) -> Iterator[tuple[int, ...]]:
    """Neighbouring points that fit in memory together and can be timed in one round."""
    group: list[int] = []
    weight, cycle_s = 0, 0.0
    for i, seen in first.items():
        call_s = min(seen.walls) * seen.block
        full = len(group) == MAX_READY_MODELS or weight + seen.weight_bytes > MAX_READY_BYTES
        if group and (full or MIN_CYCLES * (cycle_s + call_s) > MAX_ROUND_S):
            yield tuple(group)
            group, weight, cycle_s = [], 0, 0.0
        group.append(i)
        weight, cycle_s = weight + seen.weight_bytes, cycle_s + call_s
    if group:
        yield tuple(group)


def _split(group: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """A group that failed, in two halves: each point ran alone, so it failed because of the others.

    A point that then fails by itself is not tried again and keeps its result.
    """
    middle = len(group) // 2
    return (group[:middle], group[middle:]) if middle else ()
