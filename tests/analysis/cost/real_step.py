"""The peak of a real forward pass or training step on a CPU, in two ways that know nothing of the
studio's own figure: every storage that Python's dispatcher sees made and released, and every
allocation that torch's profiler saw, in which the workspace of kernels is too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity
from torch.profiler import profile as watched

import studio
from studio.analysis.cost.training_step import Optimizer
from studio.analysis.trace.counter_mode import CounterMode
from studio.family import Design
from studio.knobs import Mode
from tests.designs import tensors


class Storages(CounterMode):  # type: ignore[misc, no-untyped-call]
    """A meter that does not count what was there before."""

    def __init__(self, given: list[Tensor]) -> None:
        super().__init__()
        self.watch(given)
        self.alive = self.peak = 0


def stored(design: Design, batch: int, mode: Mode, optimizer: Optimizer = "adam") -> int:
    """The most bytes of tensors that are alive at once."""
    there, run = prepared(design, batch, mode, optimizer)
    meter = Storages(there)
    with meter:
        run()
    return sum(t.nbytes for t in there) + meter.peak


def allocated(design: Design, batch: int, mode: Mode, optimizer: Optimizer = "adam") -> int:
    """The most bytes that the allocator has handed out."""
    there, run = prepared(design, batch, mode, optimizer)
    with watched(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    assert seen.profiler is not None
    roots = seen.profiler.kineto_results.experimental_event_tree()
    events = sorted(_allocations(roots), key=lambda event: event.start_time_ns)
    sizes = (event.extra_fields.alloc_size for event in events)
    return sum(t.nbytes for t in there) + max(accumulate(sizes, initial=0))


def prepared(
    design: Design, batch: int, mode: Mode, optimizer: Optimizer
) -> tuple[list[Tensor], Callable[[], None]]:
    """What is there before the step (the second one, in training), and the step."""
    model, inputs = studio.build(design).train(mode == "training"), studio.example(design, batch)
    stepper = made(optimizer, list(model.parameters()))

    def loss() -> Any:
        return sum(t.square().mean() for t in tensors(model(*inputs)) if t.is_floating_point())

    def train() -> None:
        loss().backward()
        stepper.step()
        stepper.zero_grad(set_to_none=True)

    def infer() -> None:
        with torch.no_grad():
            model(*inputs)

    run = train if mode == "training" else infer
    run()
    states = [t for state in stepper.state.values() for t in state.values() if torch.is_tensor(t)]
    return [*model.parameters(), *model.buffers(), *inputs, *states], run


def made(optimizer: Optimizer, parameters: list[Any]) -> torch.optim.Optimizer:
    if optimizer == "adam":
        return torch.optim.Adam(parameters, foreach=False)
    momentum = 0.9 if optimizer == "momentum" else 0
    return torch.optim.SGD(parameters, 1e-3, momentum=momentum, foreach=False)


def _allocations(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        if "Allocation" in str(node.tag):
            yield node
        yield from _allocations(node.children)
