"""Options of the Memory tab: a part of the page's state and link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from studio.analysis.cost.training_step import Optimizer
from studio.knobs import Knob, Mode
from studio.workbench.link import Link

MEMORY = {
    "mode": Knob(name="memory.mode", default="training", help="", options=get_args(Mode)),
    "optimizer": Knob(
        name="memory.optimizer", default="adam", help="", options=get_args(Optimizer)
    ),
    "over": Knob(name="memory.over", default="batch", help="", options=("batch", "resolution")),
    "budget_gb": Knob(name="memory.room", default=0.0, help="Gigabytes", ge=0, le=1e6),
}


@dataclass(frozen=True)
class MemoryOptions:
    """Options of the Memory tab; `budget_gb` is 0 for the free memory of this machine."""

    mode: Mode = "training"
    optimizer: Optimizer = "adam"
    over: Literal["batch", "resolution"] = "batch"
    budget_gb: float = 0.0

    @property
    def link(self) -> dict[str, str]:
        values = ((knob, getattr(self, name)) for name, knob in MEMORY.items())
        return {knob.name: knob.text(value) for knob, value in values if value != knob.default}

    @classmethod
    def from_link(cls, link: Link) -> MemoryOptions:
        """Read the options from a link, consuming its parameters."""
        return cls(**{name: link.take(knob) for name, knob in MEMORY.items()})


DEFAULT_OPTIONS = MemoryOptions()  # the default
