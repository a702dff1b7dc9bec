"""Whether batch normalisation can be trained: it needs at least two values per channel.

In training it divides by the standard deviation over batch and pixels. With one example and one
pixel there is none, and PyTorch raises an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from studio.analysis import units
from studio.analysis.cost.profiler import Profile, training_trace
from studio.analysis.torch_private import BatchNorm
from studio.analysis.trace.tree import Trace
from studio.family import Design, DesignError

MAX_TRIES = 12  # larger resolutions that are tried


@lru_cache(maxsize=512)
def batch_too_small(design: Design, batch: int) -> str:
    """Why this batch cannot be trained on, in one sentence with the nearest that can; else empty.
    Takes milliseconds."""
    path = next(_starved_norms(training_trace(design, batch)), None)
    if path is None:
        return ""
    sides = {name: design.value(name) for name in _resolutions(design)}
    at = "".join(f" at {name}={value}" for name, value in sides.items())
    ways = [f"batch={batch + 1}", *filter(None, (_larger(design, name, batch) for name in sides))]
    return (
        f"batch={batch}{at} leaves the batch normalisation {path} one value per channel, and"
        f" training needs two or more; the nearest that works is {' or '.join(ways)}"
    )


def can_train(found: Profile) -> bool:
    """Whether a training step of this design runs at this batch size."""
    return _can_train(found.design, found.batch)


@lru_cache(maxsize=4096)
def _can_train(design: Design, batch: int) -> bool:
    return not any(_starved_norms(training_trace(design, batch)))


def training_memory_text(found: Profile) -> str:
    """Peak memory of a training step with Adam, with its unit, or that there is no such step."""
    if can_train(found):
        return units.size(found.training_bytes())
    return f"cannot be trained at batch {found.batch}"


def _starved_norms(trace: Trace, path: str = "") -> Iterator[str]:
    """The paths of the batch norms that get one value per channel."""
    if issubclass(trace.cls or object, BatchNorm) and trace.inputs:
        examples, _, *sides = trace.inputs[0]
        if examples * math.prod(sides) == 1:
            yield path
    for call in trace.calls:
        yield from _starved_norms(call.trace, f"{path}.{call.name}" if path else call.name)


def _resolutions(design: Design) -> list[str]:
    """The knobs for the height and width of the input."""
    return [
        name
        for name, knob in design.knobs.items()
        if knob.axis == "resolution" and isinstance(design.value(name), int)
    ]


def _larger(design: Design, name: str, batch: int) -> str:
    """The next larger value of a knob at which training works; empty if none is near."""
    here = design.value(name)
    for value in islice((v for v in design.knobs[name].near(here) if v > here), MAX_TRIES):
        try:
            larger = design.replace(**{name: value})
        except DesignError:
            continue
        if not any(_starved_norms(training_trace(larger, batch))):
            return f"{name}={value}"
    return ""
