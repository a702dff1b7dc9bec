"""The peak memory of a training step, from its timeline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from studio.analysis.trace.allocations import Timeline, extrapolate

Optimizer = Literal["sgd", "momentum", "adam"]

STATES: dict[Optimizer, int] = {
    "sgd": 0,
    "momentum": 1,
    "adam": 2,
}  # optimizer states per parameter
# Adam computes the root of the second moment and a quotient, each the size of the parameter.
TEMPORARIES: dict[Optimizer, int] = {"sgd": 0, "momentum": 0, "adam": 2}


@dataclass(frozen=True)
class PeakMemory:
    """Live bytes at the peak; `activations` are all other tensors, inputs included."""

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
    """A training step: the bytes that exist before it, and the timeline of its two passes.

    `gradients` are the bytes of all gradients, `largest_parameter` those of the largest trained
    parameter.
    """

    parameters: int
    buffers: int
    inputs: int
    gradients: int
    largest_parameter: int
    timeline: Timeline

    def peak(self, optimizer: Optimizer) -> PeakMemory:
        """The peak of the two passes, or of the optimizer step if that needs more."""
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
    """The step at any batch size from 2 on, extrapolated from those at batch 2 and 3. None if these
    two run different operations (a loop over the examples)."""
    timeline = extrapolate(two.timeline, three.timeline, batch)
    inputs = two.inputs + (batch - 2) * (three.inputs - two.inputs)
    return None if timeline is None else replace(two, inputs=inputs, timeline=timeline)
