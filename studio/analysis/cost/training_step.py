"""The most memory that a forward pass or a training step needs at once, from its tape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from studio.analysis.trace.allocations import Timeline, extrapolate

Optimizer = Literal["sgd", "momentum", "adam"]

STATES: dict[Optimizer, int] = {"sgd": 0, "momentum": 1, "adam": 2}  # values kept per parameter
# Adam makes the root of the second moment and then its quotient, each as large as the parameter.
TEMPORARIES: dict[Optimizer, int] = {"sgd": 0, "momentum": 0, "adam": 2}


@dataclass(frozen=True)
class PeakMemory:
    """What is alive at the peak, in bytes; `activations` are all other tensors, inputs included."""

    parameters: int
    buffers: int
    gradients: int
    states: int
    activations: int

    @property
    def total(self) -> int:
        return self.parameters + self.buffers + self.gradients + self.states + self.activations


@dataclass(frozen=True)
class TrainingStep:
    """A training step: what is there before it, and the tape of its two passes, in bytes.

    `learned` are all parameters that get a gradient, `largest` is the largest that may.
    """

    parameters: int
    buffers: int
    inputs: int
    gradients: int
    largest_parameter: int
    timeline: Timeline

    def peak(self, optimizer: Optimizer) -> PeakMemory:
        """The highest point of the passes, or of the optimiser's step where that needs more."""
        level, learned = self.timeline.usage, self.gradients
        stepping = TEMPORARIES[optimizer] * self.largest_parameter
        gradients, rest = level.top_gradients, level.top - level.top_gradients
        if learned + stepping > level.top:
            gradients, rest = learned, stepping
        return PeakMemory(
            self.parameters,
            self.buffers,
            gradients,
            STATES[optimizer] * learned,
            self.inputs + rest,
        )


def step_at_batch(two: TrainingStep, three: TrainingStep, batch: int) -> TrainingStep | None:
    """The course at any batch from 2 on: what changes from 2 to 3, so many times more. None where
    these two take other steps (a loop over the examples)."""
    timeline = extrapolate(two.timeline, three.timeline, batch)
    inputs = two.inputs + (batch - 2) * (three.inputs - two.inputs)
    return None if timeline is None else replace(two, inputs=inputs, timeline=timeline)
