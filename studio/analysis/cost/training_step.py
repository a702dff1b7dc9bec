"""The most memory that a forward pass or a training step needs at once, from its tape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from studio.analysis.trace.allocations import Tape, extrapolated

Optimizer = Literal["sgd", "momentum", "adam"]

STATES: dict[Optimizer, int] = {"sgd": 0, "momentum": 1, "adam": 2}  # values kept per parameter
# Adam makes the root of the second moment and then its quotient, each as large as the parameter.
TEMPORARIES: dict[Optimizer, int] = {"sgd": 0, "momentum": 0, "adam": 2}


@dataclass(frozen=True)
class Memory:
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
class Course:
    """A training step: what is there before it, and the tape of its two passes, in bytes.

    `learned` are all parameters that get a gradient, `largest` is the largest that may.
    """

    parameters: int
    buffers: int
    inputs: int
    learned: int
    largest: int
    tape: Tape

    def peak(self, optimizer: Optimizer) -> Memory:
        """The highest point of the passes, or of the optimiser's step where that needs more."""
        level, learned = self.tape.level, self.learned
        stepping = TEMPORARIES[optimizer] * self.largest
        gradients, rest = level.top_gradients, level.top - level.top_gradients
        if learned + stepping > level.top:
            gradients, rest = learned, stepping
        return Memory(
            self.parameters,
            self.buffers,
            gradients,
            STATES[optimizer] * learned,
            self.inputs + rest,
        )


def at_batch(two: Course, three: Course, batch: int) -> Course | None:
    """The course at any batch from 2 on: what changes from 2 to 3, so many times more. None where
    these two take other steps (a loop over the examples)."""
    tape = extrapolated(two.tape, three.tape, batch)
    inputs = two.inputs + (batch - 2) * (three.inputs - two.inputs)
    return None if tape is None else replace(two, inputs=inputs, tape=tape)
