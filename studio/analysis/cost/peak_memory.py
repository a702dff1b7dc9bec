"""The most memory that a design needs at once, at one batch and at many.

The figure is the profile's: the model runs once on meta, in training with its backward pass, and
every storage that is allocated and freed on the way is written down (`rehearsal`). Where most bytes
are alive is the peak. In training that is the second step, when the optimiser has its states:
forward in training mode, the mean of the squared outputs as loss, backward, the step of the
optimiser one parameter at a time (`foreach=False`), gradients set to None.

On a CPU the figures are within 10 % of the tensors alive at the peak, mostly within 2 %; of deep
and narrow recurrent networks at batch 1 they are up to 12 % above, in training. The scratchpad of
kernels comes on top, which counts in small networks of convolutions and in an LSTM in inference.
The workspace that an LSTM keeps in training is a tensor, and counted. A process needs more (about
1.2 times, convolutions up to 1.7), and a GPU the context of CUDA (0.3 to 0.5 GB) and the workspace
of its libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.analysis.cost.profiler import profile, training_step
from studio.analysis.cost.training_step import Optimizer, PeakMemory, step_at_batch
from studio.family import BATCH, Design
from studio.knobs import Mode

MAX_SECANT_STEPS = 6  # guesses along a line, before the rest is halved


def peak_memory(
    design: Design, batch: int = 1, mode: Mode = "inference", optimizer: Optimizer = "adam"
) -> PeakMemory:
    """The peak of one forward pass, or of one training step. Raises DesignError for a batch that
    there is not."""
    return profile(design, batch).memory(mode, optimizer)


def peak_over_batches(
    design: Design, batches: Sequence[int], mode: Mode, optimizer: Optimizer = "adam"
) -> tuple[PeakMemory, ...]:
    """The peaks at many batches; of training steps for the price of three."""
    return tuple(_peak(design, batch, mode, optimizer) for batch in batches)


def _peak(design: Design, batch: int, mode: Mode, optimizer: Optimizer) -> PeakMemory:
    if mode == "training" and batch > 1:
        found = step_at_batch(training_step(design, 2), training_step(design, 3), batch)
        if found is not None:
            return found.peak(optimizer)
    return peak_memory(design, batch, mode, optimizer)


def largest_batch(
    design: Design, room_bytes: float, mode: Mode, optimizer: Optimizer = "adam"
) -> int:
    """The largest batch whose peak is at most `room_bytes`; 0 where not even one example fits.

    At most the largest batch that the studio knows.
    """

    def total(batch: int) -> int:
        return _peak(design, batch, mode, optimizer).total

    assert BATCH.le is not None
    return _largest_within(total, room_bytes, int(BATCH.le))


def _largest_within(total: Callable[[int], int], room: float, limit: int) -> int:
    """The largest number from 1 to `limit` whose total, which rises with it, fits; else 0. Totals
    rise along a line or bend upwards: a secant finds the place in a few steps."""
    low, high, at_low = 1, limit + 1, total(1)
    if at_low > room:
        return 0
    slope = total(2) - at_low
    for tries in range(2 * limit):
        if high - low == 1:
            break
        guess = low + int((room - at_low) // slope) if slope > 0 else high - 1
        if tries >= MAX_SECANT_STEPS:
            guess = (low + high) // 2
        guess = min(max(guess, low + 1), high - 1)
        found = total(guess)
        slope = (found - at_low) // (guess - low)
        if found <= room:
            low, at_low = guess, found
        else:
            high = guess
    return low
