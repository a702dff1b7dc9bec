"""Build a subject under its conditions and warm it up, ready to be timed."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import perf_counter
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from studio.bench.conditions import IMAGE_DIMENSIONS, Conditions, Subject, layout_problem
from studio.bench.timing.time_bound import SLOW_S
from studio.process.errors import MeasureError

BLOCK_S = 1e-3  # timer and synchronisation take far less than 1 % of it
WARM_UP_S = 0.1  # an accelerator chooses its kernels for these shapes
BRIEF_WARM_UP_S = 0.02  # a CPU has chosen in its first call

Call = Callable[[], object]
MODULE_NUMBERS = count(1)


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """A model ready to be timed. One timing sample is `calls_per_sample` consecutive calls;
    `call_s` is the fastest call so far. `compile_s` is the time of the call that compiled it,
    `first_call_s` of the one after; both in seconds."""

    module_name: str
    call: Call
    calls_per_sample: int
    call_s: float
    first_call_s: float
    compile_s: float | None
    weight_bytes: int


def prepare(subject: Subject, conditions: Conditions) -> PreparedModel:
    """Build the subject, call it once, and warm it up. Call within `grad_mode`."""
    module, model, inputs = build(subject, conditions)
    if conditions.compiled:
        model.compile()
    call = CALL_MAKERS[conditions.mode](model, inputs)
    finish = synchronizer(conditions)

    def call_s() -> float:
        start = perf_counter()
        call()
        finish()
        return perf_counter() - start

    compile_s = call_s() if conditions.compiled else None
    first_call_s = call_s()
    on_cpu = conditions.device == "cpu"
    slow = on_cpu and first_call_s > SLOW_S
    fastest = first_call_s if slow else call_s()
    warm_up_s = 0.0 if slow else BRIEF_WARM_UP_S if on_cpu else WARM_UP_S
    end = perf_counter() + warm_up_s
    while perf_counter() < end:
        fastest = min(fastest, call_s())
    tensors = (*model.parameters(), *model.buffers())
    return PreparedModel(
        module_name=module,
        call=call,
        calls_per_sample=max(1, math.ceil(BLOCK_S / fastest)),
        call_s=fastest,
        first_call_s=first_call_s,
        compile_s=compile_s,
        weight_bytes=sum(t.numel() * t.element_size() for t in tensors),
    )


def grad_mode(conditions: Conditions) -> AbstractContextManager[object]:
    """The autograd mode in which a model is built and called."""
    return torch.enable_grad() if conditions.mode == "training" else torch.inference_mode()


def synchronizer(conditions: Conditions) -> Callable[[], None]:
    """A function that waits until the device has finished."""
    on_cpu = conditions.device == "cpu"
    return (lambda: None) if on_cpu else partial(torch.accelerator.synchronize, conditions.device)


def build(subject: Subject, conditions: Conditions) -> tuple[str, nn.Module, tuple[Tensor, ...]]:
    """The name of the subject's module in sys.modules, its model, and inputs for it.

    The weights have the model's own initialisation: zeros would be timed up to 8 % too fast.
    """
    module = _load(subject.source)
    device, dtype = torch.device(conditions.device), getattr(torch, conditions.dtype)
    config = getattr(module, subject.config)()
    torch.manual_seed(0)
    model = getattr(module, subject.model)(config).to(device=device, dtype=dtype)
    inputs = tuple(
        x.to(device=device, dtype=dtype if x.is_floating_point() else x.dtype)
        for x in getattr(module, subject.example)(config, conditions.batch)
    )
    if conditions.layout == "channels_last":
        model, inputs = _to_channels_last(model, inputs)
    return module.__name__, model.train(conditions.mode == "training"), inputs


def _load(source: str) -> ModuleType:
    name = f"subject_{next(MODULE_NUMBERS)}"
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses look up their module by name
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def _to_channels_last(
    model: nn.Module, inputs: tuple[Tensor, ...]
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    if why := layout_problem([x.shape for x in inputs], "channels_last"):
        raise MeasureError(why)
    images = torch.channels_last
    model.to(memory_format=images)  # type: ignore[call-overload]  # torch's stub leaves it out
    return model, tuple(
        x.contiguous(memory_format=images) if x.dim() == IMAGE_DIMENSIONS else x for x in inputs
    )


def _forward_pass(model: nn.Module, inputs: tuple[Tensor, ...]) -> Call:
    return partial(model, *inputs)


def _training_step(model: nn.Module, inputs: tuple[Tensor, ...]) -> Call:
    """With a learning rate of 0, so that the weights, and with them the times, do not change."""
    learned = [p for p in model.parameters() if p.requires_grad]
    if not learned:
        raise MeasureError("a training step needs trainable parameters, and this model has none")
    optimizer = torch.optim.SGD(learned, lr=0.0)

    def step() -> None:
        losses = [output.square().mean() for output in _differentiable(model(*inputs))]
        if not losses:
            raise MeasureError("a training step needs an output that depends on a parameter")
        torch.autograd.backward(losses)  # the gradients of their sum
        optimizer.step()
        optimizer.zero_grad()

    return step


def _differentiable(outputs: Any) -> Iterator[Tensor]:
    """The tensors with a gradient in a model's nested outputs."""
    if isinstance(outputs, Tensor):
        if outputs.requires_grad:
            yield outputs
    elif isinstance(outputs, dict):
        yield from _differentiable(tuple(outputs.values()))
    elif isinstance(outputs, list | tuple):
        for part in outputs:
            yield from _differentiable(part)


CALL_MAKERS: dict[str, Callable[[nn.Module, tuple[Tensor, ...]], Call]] = {
    "inference": _forward_pass,
    "training": _training_step,
}
