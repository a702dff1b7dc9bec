"""What the page will show at each value of a slider, worked out before the slider is moved.

A value takes 10 to 80 ms of Python, so a table is filled by the sizing process, the values nearest
to the hand first, a few at a time and only while somebody asks for them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import NamedTuple

from studio.analysis import units
from studio.analysis.cost.latency_model import LatencyModel
from studio.analysis.cost.scaling import axes, position
from studio.drawing.layout.changed_texts import BoxTexts, changed_texts
from studio.family import Preset
from studio.process.backend import CallExecutor
from studio.process.fair_queue import QueuedCall
from studio.workbench import results
from studio.workbench.jobs.predicted_latency import op_cost
from studio.workbench.jobs.sizing_process import SIZING_LIMIT_S
from studio.workbench.page.figures import FIGURES, figure_text, summary_of
from studio.workbench.page.state import START, State
from studio.workbench.page.turn import Turn
from studio.workbench.pending import Failed, Pending, Ready
from studio.workbench.workload import Workload

CHUNK_S = 0.1  # of one call; other sessions take turns between two of them
REACH = 32  # values to either side of the hand that are worked out
MOST_TABLES = 64  # the latest, for all sessions

Text = tuple[str, tuple[str, ...]]  # a figure of the page, and the lines below it as HTML


@dataclass(frozen=True)
class ValueQuestion:
    """The values of a slider, in their order, on a page that shows this workload.

    Its figures are compared with those of the workload before (`previous`) and of the `pin`. `axis`
    is the knob along which its charts are drawn, `opened` are the open blocks of its graph, and
    `predictor` predicts its latency.
    """

    turn: Turn
    values: tuple[float, ...]
    workload: Workload
    preset: Preset
    previous: Workload | None = None
    pin: Workload | None = None
    axis: str = ""
    opened: frozenset[str] = frozenset()
    predictor: LatencyModel | None = None

    @property
    def state(self) -> State:
        """The page, as far as it matters here."""
        pins = (self.pin,) if self.pin else ()
        return State(workload=self.workload, preset=self.preset, previous=self.previous, pins=pins)

    def near(self, hand: float) -> tuple[float, ...]:
        """The values within reach of the hand, nearest first."""
        at = bisect_left(self.values, hand)
        order = sorted(range(len(self.values)), key=lambda i: abs(i - at))
        return tuple(self.values[i] for i in order if abs(i - at) <= REACH)


@dataclass(frozen=True)
class ChartMarks:
    """Where a design is on the scaling charts: its place on the axis, and its values by panel, as
    `None` where it has none."""

    x: float
    panels: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Landing:
    """What the page shows once a slider is released at a value.

    `landed` is the value that the knob then has, and `note` says why it is another one, or why the
    value is refused; a refused one has no `figures`. `boxes` are the new texts of those boxes of
    the graph that say something else, where that is all that changes in the picture.
    """

    value: float
    landed: float
    note: str = ""
    figures: tuple[Text, ...] = ()
    latency: tuple[Text, ...] = ()
    marks: ChartMarks | None = None
    boxes: tuple[tuple[str, BoxTexts], ...] = ()

    def to_json(self) -> dict[str, object]:
        """What the browser is sent."""
        marks = {"x": self.marks.x, "panels": self.marks.panels} if self.marks else None
        return {**self.__dict__, "marks": marks}


class ValueTable(NamedTuple):
    """The landings that are known, by rising values, and whether all within reach of the hand
    are. Else there are `ahead` calls before the next that brings more."""

    landings: tuple[Landing, ...] = ()
    complete: bool = False
    ahead: int = 0


def landing(question: ValueQuestion, value: float) -> Landing:
    """What the page shows at a value, by the functions that the page itself is drawn with."""
    before = question.state
    after = question.turn(before, value)
    landed = question.turn.value(after)
    assert isinstance(landed, int | float)
    if after.refusal or after.invalid_composition:
        fault = after.invalid_composition
        return Landing(value, landed, after.refusal or (fault.fault if fault else ""))
    return Landing(
        value=value,
        landed=landed,
        note=after.notes.get(question.turn.knob, ""),
        figures=tuple((text, tuple(notes)) for text, notes in figure_texts(after)),
        latency=predicted_text(question.predictor, after.workload),
        marks=chart_marks(question, after.workload),
        boxes=box_texts(question, after.workload),
    )


def figure_texts(now: State) -> list[tuple[str, list[str]]]:
    return [figure_text(figure, now) for figure in FIGURES]


def predicted_text(predictor: LatencyModel | None, workload: Workload) -> tuple[Text, ...]:
    """The predicted latency with its band; empty where there is no prediction."""
    if predictor is None:
        return ()
    found = predictor(op_cost(workload))
    notes = [f"predicted from {predictor.measured} measured designs"]
    if predictor.has_band:
        notes.insert(0, f"{units.seconds(found.low)} to {units.seconds(found.high)}")
    lines = tuple(f'<p title="{note}">{note}</p>' for note in notes)
    return ((f"≈ {units.seconds(found.seconds)}", lines),)


def chart_marks(question: ValueQuestion, workload: Workload) -> ChartMarks | None:
    """The panels are those of the scaling charts: counts, MACs, memory and latency."""
    knob = next((k for k in axes(workload.design).values() if k.name == question.axis), None)
    if knob is None:
        return None
    cost, predictor = summary_of(workload), question.predictor
    seconds = predictor(op_cost(workload)).seconds if predictor else None
    return ChartMarks(
        position(knob, workload.design.value(knob.name)),
        (
            (cost.params, cost.activation_count),
            (cost.macs,),
            (None if cost.no_training else cost.training_bytes, cost.inference_bytes),
            (seconds,),
        ),
    )


def box_texts(question: ValueQuestion, workload: Workload) -> tuple[tuple[str, BoxTexts], ...]:
    """What the boxes of the graph say along the depth, where a block is repeated more or less
    often. Along the other axes all shapes change, and with them more than texts of boxes."""
    knobs = question.workload.design.knobs
    if question.turn.knob not in knobs or knobs[question.turn.knob].axis != "depth":
        return ()
    before, after = results.graph(question.workload), results.graph(workload)
    return changed_texts(before, after, question.opened) or ()


def landings_within(
    question: ValueQuestion, values: Sequence[float], seconds: float
) -> tuple[Landing, ...]:
    """The landings of at least one of these values, and of as many as there is time for."""
    end, found = monotonic() + seconds, []
    for value in values:
        try:
            found.append(landing(question, value))
        except Exception as error:  # of this value: the others are as good as before
            found.append(Landing(value, value, str(error) or type(error).__name__))
        if monotonic() > end:
            break
    return tuple(found)


def warm_up() -> None:
    """Import what a table needs, which takes seconds, and compute one landing."""
    landing(ValueQuestion(Turn("depth"), (1,), Workload(START), START.base), 1)


class GrowingTable:
    """The table of a question. Each look takes over what is done, and has the next values begun."""

    def __init__(self, question: ValueQuestion) -> None:
        self._question, self._lock = question, Lock()
        self._known: dict[float, Landing] = {}
        self._call: Future[tuple[Landing, ...]] | None = None

    def look(self, hand: float, process: CallExecutor) -> ValueTable:
        """What is known, for a hand at this value. Raises what a call has raised."""
        with self._lock:
            if self._call is not None and self._call.done():
                call, self._call = self._call, None
                self._known |= {found.value: found for found in call.result()}
            near = self._question.near(hand)
            missing = tuple(value for value in near if value not in self._known)
            if missing and self._call is None:
                self._call = process.submit(
                    landings_within, self._question, missing, CHUNK_S, limit_s=SIZING_LIMIT_S
                )
            known = tuple(self._known[value] for value in sorted(self._known))
            ahead = self._call.position if isinstance(self._call, QueuedCall) else 0
            return ValueTable(known, not missing, ahead)


class ValueTables:
    """The latest tables, shared by all sessions. A table that nobody looks at does not grow."""

    def __init__(self, process: Callable[[str], CallExecutor]) -> None:
        self._process, self._lock = process, Lock()
        self._tables: OrderedDict[ValueQuestion, GrowingTable] = OrderedDict()

    def __call__(self, question: ValueQuestion, hand: float, session: str) -> Pending[ValueTable]:
        table = self._find(question)
        try:
            return Ready(table.look(hand, self._process(session)))
        except Exception as error:  # of another process, told to whoever asks
            with self._lock:
                self._tables.pop(question, None)
            return Failed(str(error) or type(error).__name__)

    def start(self) -> Future[None]:
        """Start the process, so that the first table does not wait for its imports."""
        return self._process("").submit(warm_up, limit_s=SIZING_LIMIT_S)

    def _find(self, question: ValueQuestion) -> GrowingTable:
        with self._lock:
            table = self._tables.setdefault(question, GrowingTable(question))
            self._tables.move_to_end(question)
            while len(self._tables) > MOST_TABLES:
                self._tables.popitem(last=False)
            return table
