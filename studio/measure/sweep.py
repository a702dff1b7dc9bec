"""Measure one design, or all designs along an axis in turn, with figures after every round.

A point shows its first figure as soon as it has been built. Then all points are timed in turn in
short rounds, and these interleaved times replace the first ones: they keep ratios and exponents
true (an exponent within 0.04 on a loaded machine, where one point after another gives 0.18-0.27).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from threading import Thread
from typing import Any

from studio.measure.clock import HELD_BYTES, HELD_MODELS, MIN_CYCLES, measure_round
from studio.measure.request import Conditions, MeasureError, Measurement, Samples, Subject
from studio.measure.worker import LIMIT_S, NoWorkerError, Task, Worker, worker

Point = Measurement | MeasureError | None  # None until it has a figure
Points = tuple[Point, ...]
Submit = Callable[..., Task[tuple[Samples, ...]]]
Ask = Callable[[Sequence[int], float], tuple[Samples, ...]]  # points, seconds -> their samples

FIRST_LOOK_S = 0.1
LONGEST_ROUND_S = 3.0  # a round of slow models; others wait for it


def measure(
    subject: Subject,
    conditions: Conditions,
    *,
    budget_s: float = 1.0,
    limit_s: float = LIMIT_S,
    on: Worker | None = None,
) -> Measurement:
    """The latency of one subject, timed for `budget_s` seconds. Raises MeasureError."""
    submit = (on or worker(conditions.device)).submit
    (samples,) = _asking(submit, (subject,), conditions, limit_s)((0,), budget_s)
    return samples.measurement(conditions)


def sweep(
    subjects: Sequence[Subject],
    conditions: Conditions,
    *,
    budget_s: float = 7.0,
    round_s: float = 0.5,
    limit_s: float = LIMIT_S,
    on: Worker | None = None,
) -> Iterator[Points]:
    """The figures of all subjects so far, after every round of about `round_s` seconds.

    `budget_s` is the time spent timing, without building; `limit_s` is granted to each subject. A
    subject that cannot be measured is a MeasureError in its place. Closing the iterator ends the
    sweep. Raises MeasureError where there is no measuring process at all.
    """
    submit = (on or worker(conditions.device)).submit
    ask = _asking(submit, subjects, conditions, limit_s)
    for _, points in _rounds(len(subjects), conditions, budget_s, round_s, ask):
        yield points


class Job:
    """A sweep that runs by itself; a page looks in whenever it likes, and never waits."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        conditions: Conditions,
        *,
        budget_s: float = 7.0,
        round_s: float = 0.5,
        limit_s: float = LIMIT_S,
        on: Worker | None = None,
    ) -> None:
        self._state: tuple[float, Points] = (0.0, (None,) * len(subjects))
        self._worker = on or worker(conditions.device)
        self._task: Task[Any] | None = None
        self._cancelled = False
        self._error: Exception | None = None
        ask = _asking(self._submit, subjects, conditions, limit_s)
        rounds = _rounds(len(subjects), conditions, budget_s, round_s, ask)
        self._thread = Thread(target=self._run, args=(rounds,), name="sweep", daemon=True)
        self._thread.start()

    def snapshot(self) -> Points:
        """The latest figures, in the order of the subjects."""
        return self._state[1]

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self._state[0]

    @property
    def done(self) -> bool:
        """Whether it has ended: finished, cancelled or failed."""
        return not self._thread.is_alive()

    @property
    def error(self) -> Exception | None:
        """Why the whole sweep failed, if it did. A single point's failure is in the snapshot."""
        return self._error

    def cancel(self) -> None:
        """Stop at once, in the middle of a round too. The figures so far stay."""
        self._cancelled = True
        if self._task:
            self._task.cancel()

    def _submit(self, *call: Any, **rules: Any) -> Task[Any]:
        self._task = self._worker.submit(*call, **rules)
        if self._cancelled:  # between two rounds, when there was no task to cancel
            self._task.cancel()
        return self._task

    def _run(self, rounds: Iterator[tuple[float, Points]]) -> None:
        try:
            for self._state in rounds:
                pass
            self._state = (1.0, self.snapshot())
        except CancelledError:
            pass
        except Exception as error:  # a thread has no caller to raise to
            self._error = error


def _asking(
    submit: Submit, subjects: Sequence[Subject], conditions: Conditions, limit_s: float
) -> Ask:
    seeds = iter(range(2**31))

    def ask(group: Sequence[int], budget_s: float) -> tuple[Samples, ...]:
        chosen = tuple(subjects[i] for i in group)
        limit = limit_s * len(group) + budget_s
        task = submit(measure_round, chosen, conditions, budget_s, next(seeds), limit_s=limit)
        try:
            return task.result()
        finally:
            task.cancel()  # a caller that is interrupted while it waits leaves nothing running

    return ask


def _rounds(
    count: int, conditions: Conditions, budget_s: float, round_s: float, ask: Ask
) -> Iterator[tuple[float, Points]]:
    """After every step: how far the sweep is (0 to 1), and the figures so far."""
    points: list[Point] = [None] * count
    steps = count + max(1, math.ceil(budget_s / round_s))
    first: dict[int, Samples] = {}
    for i in range(count):
        try:
            (first[i],) = ask((i,), min(FIRST_LOOK_S, budget_s))
            points[i] = first[i].measurement(conditions)
        except NoWorkerError:
            raise
        except MeasureError as error:
            points[i] = error
        yield (i + 1) / steps, tuple(points)
    for share, samples in _interleaved(first, budget_s, round_s, ask):
        for i, times in samples.items():
            points[i] = times.measurement(conditions)
        yield (count + share * (steps - count)) / steps, tuple(points)


def _interleaved(
    first: Mapping[int, Samples], budget_s: float, round_s: float, ask: Ask
) -> Iterator[tuple[float, Mapping[int, Samples]]]:
    """The share of the budget that is spent, and each point's samples, after every round."""
    samples: dict[int, Samples] = {}
    groups = deque(_groups(first))
    spent, unseen = 0.0, len(groups)
    while groups and (spent < budget_s or unseen > 0):
        group = groups.popleft()
        unseen -= 1
        try:
            times = dict(zip(group, ask(group, round_s), strict=True))
        except NoWorkerError:
            raise
        except MeasureError:
            spent += round_s
            groups.extend(_halves(group))
        else:
            spent += sum(new.spent_s for new in times.values())
            samples |= {i: samples[i] + new if i in samples else new for i, new in times.items()}
            groups.append(group)
        yield min(1.0, spent / budget_s), samples


def _groups(first: Mapping[int, Samples]) -> Iterator[tuple[int, ...]]:
    """Neighbours that can be held ready together and timed together in one round."""
    group: list[int] = []
    weight, cycle_s = 0, 0.0
    for i, seen in first.items():
        call_s = min(seen.walls) * seen.block
        full = len(group) == HELD_MODELS or weight + seen.weight_bytes > HELD_BYTES
        if group and (full or MIN_CYCLES * (cycle_s + call_s) > LONGEST_ROUND_S):
            yield tuple(group)
            group, weight, cycle_s = [], 0, 0.0
        group.append(i)
        weight, cycle_s = weight + seen.weight_bytes, cycle_s + call_s
    if group:
        yield tuple(group)


def _halves(group: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """A group that failed, in two parts: each point ran alone, so it was their company that failed.

    A point that fails by itself now is not tried again and keeps the figure it has.
    """
    middle = len(group) // 2
    return (group[:middle], group[middle:]) if middle else ()
