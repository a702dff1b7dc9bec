"""What runs in the measuring process: build the subjects, then time them in turn.

The subjects of a round are called one after another in an order that is shuffled for every cycle,
so that a slow second of the machine falls on all of them and their ratios stay true (1-3 % on a
loaded machine, where one after another gives 28-43 %). A fixed order would favour the model whose
neighbour leaves the caches warm, by up to 25 %.
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

from studio.bench.results import Conditions, Samples, Subject
from studio.bench.timing.float16_guard import refused_early
from studio.bench.timing.prepared_model import Specimen, grad_mode, prepare, synchronizer
from studio.bench.timing.time_bound import SLOW_S
from studio.process.device import device_name, device_of
from studio.process.errors import MeasureError
from studio.process.release import on_release

MIN_CYCLES, SLOW_CYCLES = 3, 2
HELD_BYTES = 10**9  # weights of all the models that are kept ready
HELD_MODELS = 32

_held: OrderedDict[tuple[Subject, Conditions], Specimen] = OrderedDict()


def measure_round(
    subjects: Sequence[Subject], conditions: Conditions, budget_s: float, seed: int
) -> tuple[Samples, ...]:
    """Time all subjects in turn until the budget (in seconds) is spent, three cycles at least (two,
    where one takes seconds).

    A subject is built when it is first seen and stays ready for later rounds. Raises MeasureError
    where the models together weigh more than is held at once, and whatever a subject raises.
    """
    set_up(conditions)
    with grad_mode(conditions):
        specimens = [_specimen(subject, conditions) for subject in subjects]
        _check_weight(specimens)
        times = _cycles(specimens, synchronizer(conditions), budget_s, random.Random(seed))
    return tuple(
        Samples(
            walls=tuple(wall for wall, _ in pairs),
            cpus=tuple(cpu for _, cpu in pairs),
            block=specimen.block,
            first_call_s=specimen.first_call_s,
            compile_s=specimen.compile_s,
            weight_bytes=specimen.weight_bytes,
            device=device_name(conditions.device),
            torch_version=torch.__version__,
        )
        for specimen, pairs in zip(specimens, times, strict=True)
    )


@on_release
def forget() -> None:
    """Let go of every model that is kept ready, and give their memory back to the system."""
    for specimen in _held.values():
        sys.modules.pop(specimen.module, None)
    _held.clear()
    if "torch._dynamo" in sys.modules:  # torch.compile has been used, and holds what it compiled
        torch.compiler.reset()
    give_back()


def set_up(conditions: Conditions) -> None:
    """Make the process ready for the conditions. Raises MeasureError where the machine is not."""
    device_of(conditions.device)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if conditions.threads > cores:
        raise MeasureError(f"threads={conditions.threads} exceeds the {cores} available cores")
    if torch.get_num_threads() != conditions.threads:
        torch.set_num_threads(conditions.threads)
    torch.set_flush_denormal(True)  # random activations may fall there, at many times the cost


def give_back() -> None:
    """Return freed memory to the system, which the allocator's settings keep for the next call."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _cycles(
    specimens: Sequence[Specimen],
    synchronize: Callable[[], None],
    budget_s: float,
    shuffler: random.Random,
) -> list[list[tuple[float, float]]]:
    """(wall, CPU) seconds a call: a list for each specimen, an entry for each cycle."""
    times: list[list[tuple[float, float]]] = [[] for _ in specimens]
    order = list(range(len(specimens)))
    slow = sum(specimen.call_s for specimen in specimens) > SLOW_S
    fewest, end = SLOW_CYCLES if slow else MIN_CYCLES, perf_counter() + budget_s
    while len(times[0]) < fewest or perf_counter() < end:
        shuffler.shuffle(order)
        for i in order:
            times[i].append(_timed(specimens[i], synchronize))
    return times


def _timed(specimen: Specimen, synchronize: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = process_time(), perf_counter()
    for _ in range(specimen.block):
        specimen.call()
    synchronize()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return wall / specimen.block, cpu / specimen.block


def _specimen(subject: Subject, conditions: Conditions) -> Specimen:
    key = (subject, conditions)
    if key not in _held:
        with refused_early(conditions):
            _held[key] = prepare(subject, conditions)
    _held.move_to_end(key)
    while len(_held) > HELD_MODELS or (len(_held) > 1 and _weight(_held.values()) > HELD_BYTES):
        _, dropped = _held.popitem(last=False)
        sys.modules.pop(dropped.module, None)
        del dropped
        give_back()
    return _held[key]


def _check_weight(specimens: Sequence[Specimen]) -> None:
    weight = _weight(specimens)
    if len(specimens) > 1 and weight > HELD_BYTES:
        raise MeasureError(
            f"these {len(specimens)} models weigh {weight / 1e9:.1f} GB and at most"
            f" {HELD_BYTES / 1e9:.0f} GB is measured in turn; take fewer at a time"
        )


def _weight(specimens: Iterable[Specimen]) -> int:
    return sum(specimen.weight_bytes for specimen in specimens)
