"""The peak memory of a design, at one batch size and at many.

The model runs once on the meta device, in training with its backward pass, and every storage
allocated and freed is recorded (`training_trace`). The peak is where most bytes are live. For
training it is that of the second step, when the optimizer has its states: forward in training mode,
the mean of the squared outputs as loss, backward, the optimizer step one parameter at a time
(`foreach=False`), gradients set to None.

On a CPU the figures are within 10 % of the tensors alive at the peak, mostly within 2 %; for deep,
narrow recurrent networks at batch 1 they are up to 12 % above, in training. Temporary buffers of
kernels come on top, which matter for small convolutional networks and for an LSTM in inference. The
workspace that an LSTM saves in training is a tensor, and counted. A process needs more (about 1.2
times, convolutions up to 1.7), and a GPU also the CUDA context (0.3 to 0.5 GB) and the workspace of
its libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.analysis.cost.profiler import profile, training_step
from studio.analysis.cost.training_step import Optimizer, PeakMemory, step_at_batch
from studio.family import BATCH, Design
from studio.knobs import Mode

MAX_SECANT_STEPS = 6  # secant steps, before bisection


def peak_memory(
    design: Design, batch: int = 1, mode: Mode = "inference", optimizer: Optimizer = "adam"
) -> PeakMemory:
    """Peak memory of one forward pass or one training step. Raises DesignError for an invalid
    batch."""
    return profile(design, batch).memory(mode, optimizer)


def peak_over_batches(
    design: Design, batches: Sequence[int], mode: Mode, optimizer: Optimizer = "adam"
) -> tuple[PeakMemory, ...]:
    """Peak memory at many batch sizes; for training steps at the cost of three traces."""
    return tuple(_peak(design, batch, mode, optimizer) for batch in batches)


def _peak(design: Design, batch: int, mode: Mode, optimizer: Optimizer) -> PeakMemory:
    if mode == "training" and batch > 1:
        found = step_at_batch(training_step(design, 2), training_step(design, 3), batch)
        if found is not None:
            return found.peak(optimizer)
    return peak_memory(design, batch, mode, optimizer)


def largest_batch(
    design: Design, available_bytes: float, mode: Mode, optimizer: Optimizer = "adam"
) -> int:
    """The largest batch whose peak is at most `available_bytes`, up to the largest that the studio
    supports; 0 if not even one example fits."""

    def total(batch: int) -> int:
        return _peak(design, batch, mode, optimizer).total

    assert BATCH.le is not None
    return _largest_within(total, available_bytes, int(BATCH.le))


def _largest_within(total: Callable[[int], int], budget: float, limit: int) -> int:
    """The largest number from 1 to `limit` whose total, which rises with it, fits; else 0. Totals
    are linear or convex, so secant steps converge fast."""
    low, high, at_low = 1, limit + 1, total(1)
    if at_low > budget:
        return 0
    slope = total(2) - at_low
    for tries in range(2 * limit):
        if high - low == 1:
            break
        guess = low + int((budget - at_low) // slope) if slope > 0 else high - 1
        if tries >= MAX_SECANT_STEPS:
            guess = (low + high) // 2
        guess = min(max(guess, low + 1), high - 1)
        found = total(guess)
        slope = (found - at_low) // (guess - low)
        if found <= budget:
            low, at_low = guess, found
        else:
            high = guess
    return low
