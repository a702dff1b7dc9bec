"""Designs within a latency limit: latency is predicted from a few measurements, then measured.

A few sizes of the family, the anchors, are measured, and a latency model is fitted to them
(`analysis.cost.latency_model`). The search treats the predicted latency as one more limit; its
result is measured. If it is too slow, the prediction is scaled by the same ratio and the search is
repeated. The stopwatch is a parameter, so that tests can simulate it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from studio import measurable
from studio.advice.budget import Limits
from studio.advice.questions import Strategy
from studio.advice.recommend import Choice, resize_choice
from studio.advice.requirements import Brief
from studio.advice.sizing.scaling_search import Share, fill_budget, scale_axes, smallest_design
from studio.advice.sizing.strategy import size_design
from studio.analysis import units
from studio.analysis.cost.latency_model import PredictedLatency, fit
from studio.analysis.cost.op_costs import total_cost
from studio.analysis.cost.profiler import Profile, profile
from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Measurement, comparable_seconds
from studio.bench.sweep import Point, Points
from studio.family import Design
from studio.knobs import DesignError
from studio.process.errors import MeasureError

Stopwatch = Callable[[Sequence[Design]], Points]
Predict = Callable[[Profile], PredictedLatency]

# Factors of width and depth, of a design with about the latency limit: they span the search range
# and are cheap to measure.
ANCHORS = ((1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.75, 0.75), (1.25, 0.5), (0.5, 1.5))
MAX_TRIES = 4  # measured sizes of one family
SHRINK = 8  # factor of compute by which an unmeasurable design is reduced
MARGIN = 1.03  # factor by which the next try aims below the limit


@dataclass(frozen=True)
class Timing:
    """The predicted and the measured latency of a design, at the batch of the brief. `tries`: the
    number of sizes that were measured until one met the limit."""

    limit_s: float
    predicted: PredictedLatency
    measured: Measurement
    tries: int

    @property
    def seconds(self) -> float:
        """The latency to compare with the limit: the median if no run was interrupted, else CPU
        time."""
        return comparable_seconds([self.measured])[0]

    @property
    def text(self) -> str:
        """The measurement, its conditions and the prediction in words."""
        measured, text = self.measured, units.seconds
        band = f", {text(self.predicted.low)} to {text(self.predicted.high)}"
        return (
            f"measured {text(self.seconds)} of {text(self.limit_s)} on {measured.device}"
            f" (IQR {text(measured.q25_s)} to {text(measured.q75_s)}, {CONDITION[measured.clean]});"
            f" predicted {text(self.predicted.seconds)}"
            f"{band if self.predicted.high < math.inf else ''}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, in seconds."""
        predicted = {
            name: value for name, value in self.predicted._asdict().items() if value < math.inf
        }
        return {
            "limit_s": self.limit_s,
            "predicted": {name: float(f"{value:.4g}") for name, value in predicted.items()},
            "measured": dict(self.measured.to_dict()),
            "tries": self.tries,
        }


CONDITION = {
    True: "no run interrupted",
    False: "busy machine, CPU time",
    None: "unknown whether other work interfered",
}


def size_within_latency(
    start: Design, brief: Brief, limit_s: float, time: Stopwatch, strategy: Strategy = "proportions"
) -> tuple[Design, Timing]:
    """The largest design scaled from `start` whose measured latency is within the limit. Raises
    DesignError if the smallest is too slow, or cannot be measured."""
    predict = predictor(start, brief, limit_s, time)
    correction = 1.0  # measured / predicted latency of the tries that were too slow
    for tries in range(1, MAX_TRIES + 1):
        also = _latency_share(predict, limit_s / correction)
        found = size_design(start, brief.limits, brief.batch, strategy, also)
        if found is None:
            break
        expected = predict(profile(found.design, brief.batch))
        measured = _measure(found.design, time)
        timing = Timing(limit_s, expected, measured, tries)
        if timing.seconds <= limit_s:
            return found.design, timing
        correction = max(correction, timing.seconds / expected.seconds) * MARGIN
    raise _latency_error(start, brief, limit_s, time)


def predictor(start: Design, brief: Brief, limit_s: float, time: Stopwatch) -> Predict:
    """Predicts the latency of designs of the family, from anchors at about the limit or below."""
    first = _measurable_design(start, brief, time)
    compute = profile(first[0], brief.batch).macs / first[1]  # a second
    near = fill_budget(
        first[0], Limits(macs=max(1, int(compute * limit_s / brief.batch))), brief.batch
    )
    middle = near.design if near else smallest_design(first[0])
    designs = tuple(
        dict.fromkeys(
            scale_axes(middle, {"width": width, "depth": depth}) for width, depth in ANCHORS
        )
    )
    points = zip(designs, time(designs), strict=True)
    seen = [(design, point) for design, point in points if isinstance(point, Measurement)]
    works = [total_cost(profile(design, brief.batch).root) for design, _ in seen]
    model = fit(works, comparable_seconds([point for _, point in seen]) if seen else ())
    if model:
        return lambda cost: model(total_cost(cost.root))
    return lambda cost: PredictedLatency(
        cost.macs / compute, 0.0, math.inf
    )  # too few anchors for a fit


def _measurable_design(start: Design, brief: Brief, time: Stopwatch) -> tuple[Design, float]:
    """A design of the family that can be measured, and its latency in seconds. Raises DesignError
    if none can."""
    design = start
    for _ in range(MAX_TRIES):
        (point,) = time((design,))
        if isinstance(point, Measurement):
            return design, comparable_seconds([point])[0]
        macs = profile(design).macs // SHRINK
        smaller = fill_budget(design, Limits(macs=max(1, macs)), brief.batch)
        design = smaller.design if smaller else smallest_design(design)
    raise DesignError(f"{start.family.key} cannot be measured: {point}", knob="latency")


def _latency_share(predict: Predict, limit_s: float) -> Share:
    return lambda cost: predict(cost).seconds / limit_s


def _measure(design: Design, time: Stopwatch) -> Measurement:
    (point,) = time((design,))
    if isinstance(point, Measurement):
        return point
    raise DesignError(f"{design.title} cannot be measured: {point}", knob="latency")


def _latency_error(start: Design, brief: Brief, limit_s: float, time: Stopwatch) -> DesignError:
    """The error for a limit below the latency of the smallest design."""
    least = smallest_design(start)
    seconds = comparable_seconds([_measure(least, time)])[0]
    needed = (
        f"the smallest design, {start.family.title} ({least.title}), takes {units.seconds(seconds)}"
    )
    return DesignError(
        f"latency at most {units.seconds(limit_s)} at batch={brief.batch} cannot be met; {needed}",
        knob="latency",
        value=limit_s,
        nearest=(seconds,),
    )


@dataclass(frozen=True)
class Needed:
    """Designs to measure before the search can continue: each with its script, or the reason why it
    cannot be measured."""

    subjects: Mapping[Design, Subject | MeasureError]


class TimedChoice(NamedTuple):
    """A choice that meets a latency limit, and its timing."""

    choice: Choice
    timing: Timing


class _NotMeasured(Exception):  # noqa: N818 - a step of the search, not an error
    def __init__(self, designs: Sequence[Design]) -> None:
        super().__init__()
        self.designs = designs


def search_step(
    choice: Choice,
    brief: Brief,
    limit_s: float,
    strategy: Strategy,
    known: Mapping[Design, Point],
    device: str = "cpu",
) -> Needed | TimedChoice:
    """Resize a choice to meet a latency limit, or return the designs to measure first.

    `known`: the measurements so far. This lets the search run in one process and the measurements
    in another. Raises DesignError if the family cannot meet the limit.
    """

    def time(designs: Sequence[Design]) -> Points:
        missing = [design for design in designs if design not in known]
        if missing:
            raise _NotMeasured(missing)
        return tuple(known[design] for design in designs)

    try:
        design, timing = size_within_latency(choice.start.design, brief, limit_s, time, strategy)
    except _NotMeasured as needed:
        conditions = Conditions(batch=brief.batch, device=device)
        return Needed({design: _subject(design, conditions) for design in needed.designs})
    return TimedChoice(resize_choice(choice, design, brief, (timing.text,)), timing)


def _subject(design: Design, conditions: Conditions) -> Subject | MeasureError:
    try:
        return measurable.subject(design, conditions)
    except MeasureError as refused:
        return refused
