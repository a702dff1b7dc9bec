"""The time of each layer in a forward pass.

Shares come from torch's profiler: CPU time, or kernel time on an accelerator. The profiler slows a
pass down (by a fifth for a small ViT), so passes without it are interleaved with profiled ones, and
the shares are scaled to their median; uninterrupted passes only, if there are enough.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from studio.bench.conditions import Conditions, Subject
from studio.bench.results import LayerTime, Measurement, Samples
from studio.bench.timing.prepared_model import Call, build, grad_mode, synchronizer
from studio.bench.timing.timing_loop import configure_process, trim_memory
from studio.process.backend import CallExecutor
from studio.process.errors import MeasureError
from studio.process.fair_queue import queue_client

# Private: torch.profiler.record_function costs 20 µs per range under the profiler, this one 7.
record_range = torch._C._profiler._RecordFunctionFast
RANGE = "layer:"
PASSES_PER_TURN = 3  # passes
PROFILED = ("cpu", "cuda")

Chain = tuple[str, ...]  # paths of the nested module calls, outermost first
Ranges = list[tuple[Chain, float]]  # module calls in one pass, with the seconds of each
Times = Mapping[Chain, float]
PassTime = tuple[float, float]  # wall and CPU seconds of a pass


def layer_times(
    subject: Subject,
    conditions: Conditions,
    *,
    budget_s: float = 1.0,
    limit_s: float | None = None,
    executor: CallExecutor | None = None,
) -> Mapping[str, LayerTime]:
    """The time of each module by its path as in `named_modules()`; "" is the model.

    Own times add up to the total of the model, and are those of a forward pass in inference. Raises
    MeasureError.
    """
    submit = (executor or queue_client(conditions.device)).submit
    limit_s = limit_s or conditions.limit_s
    task = submit(measure_layers, subject, conditions, budget_s, limit_s=limit_s)
    try:
        return MappingProxyType(task.result())
    finally:
        task.cancel()


def measure_layers(
    subject: Subject, conditions: Conditions, budget_s: float
) -> dict[str, LayerTime]:
    """Runs in the worker process. Takes about `budget_s` seconds, plus building."""
    if why := unsupported_reason(conditions):
        raise MeasureError(why)
    configure_process(conditions)
    with grad_mode(conditions):
        name, model, inputs = build(subject, conditions)
        try:
            plain, passes = _passes(model, partial(model, *inputs), conditions, budget_s)
        finally:
            sys.modules.pop(name)
    del model, inputs
    trim_memory()
    calls = Counter(chain[-1] for chain, _ in passes[-1])
    return _spread(_whole_pass(plain, conditions), _medians(list(map(_own_times, passes))), calls)


def unsupported_reason(conditions: Conditions) -> str:
    """Why layers are not timed under these conditions, in one sentence; empty if they are."""
    if conditions.mode == "training":
        return "layers are timed in a forward pass; mode=inference works"
    if conditions.compiled:
        return "a compiled model has no layers to time; compiled=False works"
    if conditions.device.partition(":")[0] not in PROFILED:
        return f"layers are timed on {' and '.join(PROFILED)}, not {conditions.device}"
    return ""


def _whole_pass(plain: Sequence[PassTime], conditions: Conditions) -> Measurement:
    """The passes without the profiler as a measurement, by the same rules as any other."""
    walls, cpus = zip(*plain, strict=True)
    return Samples(
        walls=walls,
        cpus=cpus,
        block=1,
        first_call_s=walls[0],
        weight_bytes=0,
        device=conditions.device,
        torch_version=torch.__version__,
    ).measurement(conditions)


def _passes(
    model: nn.Module, call: Call, conditions: Conditions, budget_s: float
) -> tuple[list[PassTime], list[Ranges]]:
    """Times of passes without the profiler, and the ranges of profiled passes, interleaved.

    The first pass after a switch has cold caches and is left out.
    """
    finish = synchronizer(conditions)
    plain: list[PassTime] = []
    passes: list[Ranges] = []
    _profile_passes(model, call, conditions)  # the first use of the profiler initialises it
    end = perf_counter() + budget_s
    while not plain or perf_counter() < end:
        for turn in range(1 + PASSES_PER_TURN):
            wall, cpu = perf_counter(), process_time()
            call()
            finish()
            plain += [(perf_counter() - wall, process_time() - cpu)] if turn else []
        passes += _profile_passes(model, call, conditions)[1:]
    return plain, passes


def _profile_passes(model: nn.Module, call: Call, conditions: Conditions) -> list[Ranges]:
    on_cpu, finish = conditions.device == "cpu", synchronizer(conditions)
    activities = [ProfilerActivity.CPU, *([] if on_cpu else [ProfilerActivity.CUDA])]
    with _record_modules(model), profile(activities=activities) as seen:
        for _ in range(1 + PASSES_PER_TURN):
            call()
            finish()
    passes: list[Ranges] = []
    for event in sorted(filter(_is_range, seen.events()), key=lambda event: event.time_range.start):
        chain = _chain(event)
        if len(chain) == 1:
            passes.append([])
        microseconds = event.cpu_time_total if on_cpu else event.device_time_total
        passes[-1].append((chain, microseconds / 1e6))
    return passes


@contextmanager
def _record_modules(model: nn.Module) -> Iterator[None]:
    """Record every module call as a range in the profile."""
    opened: list[Any] = []
    hooks = []
    for path, module in model.named_modules():

        def enter(*_: object, name: str = RANGE + path) -> None:
            opened.append(record_range(name))
            opened[-1].__enter__()

        def leave(*_: object) -> None:
            opened.pop().__exit__(None, None, None)

        hooks.append(module.register_forward_pre_hook(enter))
        hooks.append(module.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_range(event: FunctionEvent) -> bool:
    """Whether an event is a module call. An accelerator's timeline repeats the ranges, as other
    events."""
    return event.name.startswith(RANGE) and event.device_type.name == "CPU"


def _chain(event: FunctionEvent) -> Chain:
    above = _chain(event.cpu_parent) if event.cpu_parent else ()
    return (*above, event.name.removeprefix(RANGE)) if _is_range(event) else above


def _own_times(ranges: Ranges) -> Times:
    own: defaultdict[Chain, float] = defaultdict(float)
    for chain, seconds in ranges:
        own[chain] += seconds
        if len(chain) > 1:
            own[chain[:-1]] -= seconds
    return own


def _medians(passes: Sequence[Times]) -> Times:
    chains = dict.fromkeys(chain for times in passes for chain in times)
    return {c: statistics.median(times.get(c, 0.0) for times in passes) for c in chains}


def _spread(whole: Measurement, own: Times, calls: Mapping[str, int]) -> dict[str, LayerTime]:
    """The measured time of the model, divided among its modules in proportion to their own
    times."""
    scale = whole.median_s / sum(own.values())
    own_s: defaultdict[str, float] = defaultdict(float)
    total_s: defaultdict[str, float] = defaultdict(float)
    for chain, seconds in own.items():
        own_s[chain[-1]] += scale * seconds
        for path in set(chain):
            total_s[path] += scale * seconds
    return {path: LayerTime(own_s[path], total_s[path], calls[path], whole.clean) for path in own_s}
