"""The brief: the requirements for a recommendation, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.advice.budget import Limits
from studio.advice.questions import Strategy
from studio.family import BATCH
from studio.knobs import DesignError
from studio.quoting import echoed
from studio.tasks import TASKS, Task


@dataclass(frozen=True, kw_only=True)
class Brief:
    """The requirements for a recommendation.

    `settings`: knobs that the data determine, such as `image_size`; a family uses those that it
    has. `examples`: size of the training set, None if unknown. Raises DesignError for an unknown
    task, a bad batch, or a seq_len above max_seq_len.
    """

    task: Task
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, object] = field(default_factory=dict)
    examples: int | None = None
    batch: int = BATCH.default

    def __hash__(self) -> int:
        return hash((self.task, self.limits, frozenset(self.settings.items()), self.examples))

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise DesignError(
                f"unknown task {echoed(self.task)}; choose from {', '.join(TASKS)}",
                knob="task",
                value=self.task,
                nearest=TASKS,
            )
        BATCH.read(self.batch)
        longest, here = self.settings.get("max_seq_len"), self.settings.get("seq_len")
        if isinstance(longest, int) and isinstance(here, int) and here > longest:
            raise DesignError(
                f"seq_len={here} and max_seq_len={longest} contradict each other: seq_len must not"
                " exceed max_seq_len",
                knob="seq_len",
                value=here,
                nearest=(longest,),
            )


@dataclass(frozen=True)
class RecommendationRequest:
    """What designs are recommended for. With a latency limit (in seconds, of a forward pass) they
    are measured on `device`."""

    brief: Brief
    strategy: Strategy = "recommended"
    max_latency_s: float | None = None
    device: str = "cpu"
