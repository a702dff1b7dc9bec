"""The Architect's form, task and budget: a part of the page's state and link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from studio.advice.budget import Limits
from studio.advice.questions import LIMITS, SETTINGS, STRATEGIES, Strategy
from studio.advice.requirements import Brief, RecommendationRequest
from studio.advice.task_inputs import DEFAULTS, FIELDS
from studio.analysis import quantities
from studio.analysis.quantities import COUNT
from studio.family import BATCH
from studio.knobs import DesignError, Knob
from studio.tasks import TASKS, Task
from studio.workbench.link import Link

TASK = Knob(
    name="task",
    default="classification",
    help="Task of the network",
    options=TASKS,
)
STRATEGY = Knob(
    name="strategy",
    default=STRATEGIES[0],
    help="Recommended: published presets and usual sizes, which need not use all of the budget. The"
    " others use all of it: all axes in proportion, one axis alone, or depth, width and resolution"
    " together with the coefficients of EfficientNet",
    options=STRATEGIES,
)
DATA = Knob(
    name="data",
    default="images",
    help="What is classified or generated",
    options=("images", "text"),
)
LIMIT_FIELDS = {f"max-{name}": limit for name, limit in LIMITS.items()}  # by name in the link
LATENCY = "max-latency"
EXAMPLES = "examples"
AMOUNTS = {name: limit.quantity for name, limit in LIMIT_FIELDS.items()} | {EXAMPLES: COUNT}
MOST = 40  # characters of a field: an amount and its unit


@dataclass(frozen=True)
class RequirementsForm:
    """A task and a budget, as typed: `typed` holds texts by the names of the link."""

    task: Task = "classification"
    strategy: Strategy = "recommended"
    typed: tuple[tuple[str, str], ...] = ()
    data: Literal["images", "text"] = "images"  # used if the task allows both

    def text(self, name: str) -> str:
        return dict(self.typed).get(name, "")

    def with_text(self, name: str, text: str) -> RequirementsForm:
        """Set the text of a field; an empty text clears it."""
        typed = dict(self.typed) | {name: text.strip()}
        return replace(self, typed=tuple((k, v) for k, v in sorted(typed.items()) if v))

    @property
    def kind(self) -> int:
        """The index of the kind of data among those of the task."""
        return DATA.options.index(self.data) if len(FIELDS[self.task]) > 1 else 0

    @property
    def brief(self) -> Brief:
        """The requirements. Raises DesignError, which names the field that cannot be read."""
        read = {name: _amount(name, text) for name, text in self.typed if name != LATENCY}
        limits = {limit.field: read[name] for name, limit in LIMIT_FIELDS.items() if name in read}
        fields = input_knobs(self.task, self.kind)
        settings = {name: read[name] for name in fields if name in read}
        if self.kind:  # only these settings select another kind of data than the first
            settings = {**DEFAULTS[self.task][self.kind], **settings}
        return Brief(
            task=self.task,
            limits=Limits(**limits),
            settings=settings,
            examples=read.get(EXAMPLES),
            batch=BATCH.read(read.get(BATCH.name, BATCH.default)),
        )

    @property
    def latency_s(self) -> float | None:
        """The limit for a forward pass in seconds, None without one. Raises DesignError."""
        text = self.text(LATENCY)
        try:
            return quantities.duration(text) if text else None
        except ValueError as error:
            raise DesignError(f"Latency: {error}", knob=LATENCY, value=text) from None

    @property
    def request(self) -> RecommendationRequest:
        """The request that this form makes. Raises DesignError, which names the field that is
        unreadable."""
        return RecommendationRequest(self.brief, self.strategy, self.latency_s)

    @property
    def link(self) -> dict[str, str]:
        values = {TASK.name: self.task, STRATEGY.name: self.strategy, DATA.name: self.data}
        defaults = {knob.name: knob.default for knob in (TASK, STRATEGY, DATA)}
        changed = {name: value for name, value in values.items() if value != defaults[name]}
        return {f"ask.{name}": text for name, text in (changed | dict(self.typed)).items()}

    @classmethod
    def from_link(cls, link: Link) -> RequirementsForm:
        """Read the form from a link, consuming its parameters."""
        task, strategy, data = (
            link.take(replace(knob, name=f"ask.{knob.name}")) for knob in (TASK, STRATEGY, DATA)
        )
        found = cls(task, strategy, data=data)
        for name in (*LIMIT_FIELDS, LATENCY, *SETTINGS, EXAMPLES, BATCH.name):
            found = found.with_text(name, link.text(f"ask.{name}", MOST))
        return found


EMPTY_FORM = RequirementsForm()


def input_knobs(task: Task, kind: int = 0) -> Mapping[str, str]:
    """The knobs that the task and its kind of data determine, with their labels."""
    return {name: SETTINGS[name].label for name in FIELDS[task][kind]}


def _amount(name: str, text: str) -> int:
    try:
        return AMOUNTS[name].read(text) if name in AMOUNTS else quantities.whole(text)
    except ValueError as error:
        known = LIMIT_FIELDS.get(name) or SETTINGS.get(name)
        label = known.label if known else name
        raise DesignError(f"{label}: {error}", knob=name, value=text) from None
