"""Runs in the worker process: build the subjects, then time them interleaved.

The subjects of a round are called one after another, in an order shuffled for every cycle, so that
a slow second of the machine affects all of them and their ratios stay true (1-3 % on a loaded
machine; timing one after another gives 28-43 %). A fixed order would favour the model whose
predecessor leaves the caches warm, by up to 25 %.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter, process_time

import torch

from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Samples
from studio.bench.timing.float16_guard import slow_call_guard
from studio.bench.timing.prepared_model import PreparedModel, grad_mode, prepare, synchronizer
from studio.bench.timing.time_bound import SLOW_S
from studio.process.device import device_name, resolve_device
from studio.process.errors import MeasureError
from studio.process.release import on_release

MIN_CYCLES, SLOW_CYCLES = 3, 2
MAX_READY_BYTES = 10**9  # weights of all models kept ready
MAX_READY_MODELS = 32

_ready_models: OrderedDict[tuple[Subject, Conditions], PreparedModel] = OrderedDict()


def measure_round(
    subjects: Sequence[Subject], conditions: Conditions, budget_s: float, seed: int
) -> tuple[Samples, ...]:
    """Time all subjects interleaved for `budget_s` seconds, at least three cycles (two if one takes
    seconds).

    A subject is built when first seen and kept ready for later rounds. Raises MeasureError if the
    models together exceed `MAX_READY_BYTES`, and whatever a subject raises.
    """
    configure_process(conditions)
    with grad_mode(conditions):
        models = [_ready_model(subject, conditions) for subject in subjects]
        _check_weight(models)
        times = _cycles(models, synchronizer(conditions), budget_s, random.Random(seed))
    return tuple(
        Samples(
            walls=tuple(wall for wall, _ in pairs),
            cpus=tuple(cpu for _, cpu in pairs),
            block=model.calls_per_sample,
            first_call_s=model.first_call_s,
            compile_s=model.compile_s,
            weight_bytes=model.weight_bytes,
            device=device_name(conditions.device),
            torch_version=torch.__version__,
        )
        for model, pairs in zip(models, times, strict=True)
    )


@on_release
def drop_models() -> None:
    """Drop all models that are kept ready, and return their memory to the system."""
    for model in _ready_models.values():
        sys.modules.pop(model.module_name, None)
    _ready_models.clear()
    if "torch._dynamo" in sys.modules:  # torch.compile was used, and holds its results
        torch.compiler.reset()
    trim_memory()


def configure_process(conditions: Conditions) -> None:
    """Prepare the process for the conditions. Raises MeasureError if the machine cannot
    meet them."""
    resolve_device(conditions.device)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if conditions.threads > cores:
        raise MeasureError(f"threads={conditions.threads} exceeds the {cores} available cores")
    if torch.get_num_threads() != conditions.threads:
        torch.set_num_threads(conditions.threads)
    torch.set_flush_denormal(True)  # random activations may be denormal, at many times the cost


def trim_memory() -> None:
    """Return freed memory to the system; the allocator is configured to keep it."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _cycles(
    models: Sequence[PreparedModel],
    synchronize: Callable[[], None],
    budget_s: float,
    shuffler: random.Random,
) -> list[list[tuple[float, float]]]:
    """(wall, CPU) seconds per call: one list for each model, one entry for each cycle."""
    times: list[list[tuple[float, float]]] = [[] for _ in models]
    order = list(range(len(models)))
    slow = sum(model.call_s for model in models) > SLOW_S
    fewest, end = SLOW_CYCLES if slow else MIN_CYCLES, perf_counter() + budget_s
    while len(times[0]) < fewest or perf_counter() < end:
        shuffler.shuffle(order)
        for i in order:
            times[i].append(_time_sample(models[i], synchronize))
    return times


def _time_sample(model: PreparedModel, synchronize: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = process_time(), perf_counter()
    for _ in range(model.calls_per_sample):
        model.call()
    synchronize()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return wall / model.calls_per_sample, cpu / model.calls_per_sample


def _ready_model(subject: Subject, conditions: Conditions) -> PreparedModel:
    key = (subject, conditions)
    if key not in _ready_models:
        with slow_call_guard(conditions):
            _ready_models[key] = prepare(subject, conditions)
    _ready_models.move_to_end(key)
    while len(_ready_models) > MAX_READY_MODELS or (
        len(_ready_models) > 1 and _weight(_ready_models.values()) > MAX_READY_BYTES
    ):
        _, dropped = _ready_models.popitem(last=False)
        sys.modules.pop(dropped.module_name, None)
        del dropped
        trim_memory()
    return _ready_models[key]


def _check_weight(models: Sequence[PreparedModel]) -> None:
    weight = _weight(models)
    if len(models) > 1 and weight > MAX_READY_BYTES:
        raise MeasureError(
            f"these {len(models)} models have {weight / 1e9:.1f} GB of weights, and at most"
            f" {MAX_READY_BYTES / 1e9:.0f} GB can be timed together; use fewer models"
        )


def _weight(models: Iterable[PreparedModel]) -> int:
    return sum(model.weight_bytes for model in models)
