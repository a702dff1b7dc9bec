"""A brief: what an architect is asked for, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.advice.budget import Limits
from studio.advice.questions import TASKS
from studio.family import BATCH, Task
from studio.knobs import DesignError
from studio.quoting import echoed


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What is asked for. `settings` are knobs that the task decides, such as `image_size`; a family
    takes those that it has. `examples` is how many there are to learn from, None where unknown."""

    task: Task
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, object] = field(default_factory=dict)
    examples: int | None = None
    batch: int = BATCH.default

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
                f"seq_len={here} and max_seq_len={longest} contradict each other: a sequence is at"
                " most as long as the longest",
                knob="seq_len",
                value=here,
                nearest=(longest,),
            )
