"""The profile of a design: parameters, multiply-accumulates and memory, in milliseconds."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import RLock
from typing import Any, TypeVar

from torch import Tensor

from studio.analysis.cost.attention_cost import causal_saving
from studio.analysis.cost.training_step import Optimizer, PeakMemory, TrainingStep
from studio.analysis.trace.building.meta_model import build_on_meta, example_on_meta
from studio.analysis.trace.memo import MEMO
from studio.analysis.trace.priority_lock import PriorityLock
from studio.analysis.trace.tracer import trace
from studio.analysis.trace.training_trace import trace_training
from studio.analysis.trace.tree import Shape, Trace
from studio.family import BATCH, Design
from studio.knobs import Mode
from studio.process.caching import lru

T = TypeVar("T")

# Building a model takes longer than tracing it, and it is traced twice, in either mode: the
# last few are cached, for one thread at a time.
TRACE_LOCK = PriorityLock()
cached_model = lru_cache(maxsize=4)(build_on_meta)
_cache_clearers: list[Callable[[], None]] = [cached_model.cache_clear]

CACHED_MB = 64  # for each kind of trace
CALL_BYTES, TRAINING_CALL_BYTES = (
    1100,
    2100,
)  # of a trace for each call in it, within a factor of 2.5


@dataclass(frozen=True)
class Profile:
    """The cost of a design for one batch, in float32.

    `params` counts each parameter once, `macs` are the multiply-accumulates of one forward pass
    (convolutions and matrix products). `root` is the trace of the model, `inputs` the shapes of its
    inputs. Memory is in bytes, without the workspace of kernels and the framework itself.
    """

    design: Design
    batch: int
    params: int
    trainable_params: int
    parameter_bytes: int
    buffer_bytes: int
    input_bytes: int
    root: Trace

    @property
    def macs(self) -> int:
        return self.root.macs

    @property
    def flops(self) -> int:
        """Floating-point operations: two per multiply-accumulate."""
        return 2 * self.macs

    @property
    def activation_count(self) -> int:
        """Elements written by convolutions and matrix products in a forward pass: the activations
        of Radosavovic et al. 2020 (RegNet), as timm and fvcore count them."""
        return self.root.activation_count

    @property
    def causal_saving_macs(self) -> int:
        """MACs, included in the count, that a causal attention kernel saves by skipping the masked
        half."""
        return causal_saving(self.root)

    @property
    def inputs(self) -> tuple[Shape, ...]:
        return self.root.inputs

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        return self.root.outputs

    @property
    def activation_bytes(self) -> int:
        """Peak of live activations in inference, inputs included."""
        return self.input_bytes + self.root.peak_bytes

    @property
    def inference_bytes(self) -> int:
        """Peak memory of a forward pass: parameters, buffers and activations."""
        return self.memory("inference").total

    @property
    def saved_bytes(self) -> int:
        """Activations that a training step saves for its backward pass."""
        return training_trace(self.design, self.batch).saved_bytes

    def training_bytes(self, optimizer: Optimizer = "adam") -> int:
        """Peak memory of a training step."""
        return self.memory("training", optimizer).total

    def memory(self, mode: Mode, optimizer: Optimizer = "adam") -> PeakMemory:
        """Peak memory of a forward pass or a training step, by what it holds."""
        if mode == "training":
            return training_step(self.design, self.batch).peak(optimizer)
        return PeakMemory(self.parameter_bytes, self.buffer_bytes, 0, 0, self.activation_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the public API."""
        return self.design.to_dict() | {
            "batch": self.batch,
            "params": self.params,
            "trainable_params": self.trainable_params,
            "macs": self.macs,
            "flops": self.flops,
            "causal_saving_macs": self.causal_saving_macs,
            "activation_count": self.activation_count,
            "inference_bytes": self.inference_bytes,
            "training_bytes": self.training_bytes(),
            "output_shapes": [list(shape) for shape in self.output_shapes],
        }


def profile(design: Design, batch: int = 1) -> Profile:
    """Build the design on the meta device, run it once, and return its cost. Raises DesignError."""
    found = _profile(design, BATCH.read(batch))
    # An equal design with another title may have been traced before.
    has_same_title = found.design.origin == design.origin or design.preset
    return found if has_same_title else replace(found, design=design)


@contextmanager
def freeze_gc() -> Iterator[None]:
    """Call gc.freeze() while building many models on the meta device; otherwise collections of the
    oldest generation take half of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _without_gc() -> Iterator[None]:
    """Collect no garbage meanwhile: building and tracing make none, but so many objects that the
    oldest generation would be collected every few models, which takes longer than all of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _without_import(run: Callable[[], T]) -> T:
    """The result of a run in which no module was imported. Some operations make torch import a part
    of itself when they are first used. That keeps the frames around them in a cycle, and so the
    tensors that the model has released: of a detector, twice the memory of its activations."""
    while True:
        known = len(sys.modules)
        found = run()
        if len(sys.modules) == known:
            return found
        MEMO.clear()


def clear_caches() -> None:
    """Clear all caches, so that designs are traced again."""
    for clear in _cache_clearers:
        clear()


def _cache_by_design(
    size: Callable[[Any], float],
) -> Callable[[Callable[[Design, int], T]], Callable[[Design, int], T]]:
    """Cached, and one at a time: concurrent requests for a design trace it once."""

    def with_cache(trace: Callable[[Design, int], T]) -> Callable[[Design, int], T]:
        results, lock = lru(CACHED_MB, size), RLock()

        def look_up(key: tuple[Design, int]) -> T | None:
            with lock:
                return results.get(key)

        def traced(design: Design, batch: int) -> T:
            found = look_up((design, batch))
            if found is None:
                with TRACE_LOCK.hold(), _without_gc():
                    found = look_up((design, batch)) or trace(design, batch)
                    with lock:
                        results[design, batch] = found
            return found

        _cache_clearers.append(results.clear)
        return traced

    return with_cache


def trace_bytes(root: Trace, call_bytes: int = CALL_BYTES) -> int:
    """The memory of a trace, within a factor of 2.5, from the number of calls in all its traces."""
    seen, found = set(), [root]
    count = 0
    while found:
        trace = found.pop()
        if id(trace) not in seen:
            seen.add(id(trace))
            count += len(trace.calls)
            found += [call.trace for call in trace.calls]
    return count * call_bytes


@_cache_by_design(size=lambda found: trace_bytes(found.root))
def _profile(design: Design, batch: int) -> Profile:
    model, inputs = cached_model(design), example_on_meta(design, batch)
    model = model.eval() if model.training else model
    root = _without_import(lambda: trace(model, inputs))
    return Profile(
        design=design,
        batch=batch,
        params=root.params,
        trainable_params=root.params - root.frozen_params,
        parameter_bytes=_bytes(model.parameters()),
        buffer_bytes=_bytes(model.buffers()),
        input_bytes=_bytes(inputs),
        root=root,
    )


def training_trace(design: Design, batch: int) -> Trace:
    """The trace in training mode: each node knows what it saves for the backward pass."""
    return _training_run(design, batch)[0]


def training_step(design: Design, batch: int) -> TrainingStep:
    """Everything that a training step allocates and frees."""
    return _training_run(design, batch)[1]


@_cache_by_design(size=lambda found: trace_bytes(found[0], TRAINING_CALL_BYTES))
def _training_run(design: Design, batch: int) -> tuple[Trace, TrainingStep]:
    model, inputs = cached_model(design).train(), example_on_meta(design, batch)
    root, timeline, learned = _without_import(lambda: trace_training(model, inputs))
    parameters = tuple(model.parameters())
    sizes = (p.nbytes for p in parameters if p.requires_grad)
    return root, TrainingStep(
        parameters=_bytes(parameters),
        buffers=_bytes(model.buffers()),
        inputs=_bytes(inputs),
        gradients=learned,
        largest_parameter=max(sizes, default=0),
        timeline=timeline,
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(t.nbytes for t in tensors)
