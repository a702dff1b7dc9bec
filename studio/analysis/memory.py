"""The most memory that a design needs at once, by a step that is run without numbers.

Fake tensors (`torch._subclasses.FakeTensorMode`) go the way of real ones on the CPU - the same
kernels, the same autograd - but hold nothing. A meter under the model writes down every storage
that is made and released on the way; where most bytes are alive is the peak. In training that is
the second step, when the optimiser has its states: forward in training mode, the mean of the
squared outputs as loss, backward, the step of the optimiser one parameter at a time
(`foreach=False`), gradients set to None.

Against what torch's allocator hands out on a CPU the figures are within 10 %, mostly within 2 %:
what kernels need for themselves is not seen. A process needs more (about 1.2 times, convolutions
up to 1.7), and a GPU the context of CUDA (0.3 to 0.5 GB) and the workspace of its libraries.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)
from torch.utils._pytree import tree_leaves

from studio.analysis.blueprint import NoValues, blueprint
from studio.analysis.meter import Meter, storage
from studio.analysis.profile import STATES, Optimizer, profile
from studio.family import BATCH, Design
from studio.knobs import Mode

# Adam makes the root of the second moment and then its quotient, each as large as the parameter.
TEMPORARIES: dict[Optimizer, int] = {"sgd": 0, "momentum": 0, "adam": 2}
UNABLE = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)


@dataclass(frozen=True)
class Memory:
    """What is alive at the peak, in bytes; `activations` are all other tensors, inputs included.

    `note` is empty where the step was simulated, and else says where the figure is from.
    """

    parameters: int
    buffers: int
    gradients: int
    states: int
    activations: int
    note: str = ""

    @property
    def total(self) -> int:
        return self.parameters + self.buffers + self.gradients + self.states + self.activations


@dataclass(frozen=True)
class Course:
    """Every storage made (+) and released (-) during a forward and a backward pass, in bytes and in
    order, and for each whether it is the gradient of a parameter.

    `largest` is the largest parameter with a gradient.
    """

    parameters: int
    buffers: int
    inputs: int
    largest: int
    changes: tuple[int, ...]
    of_gradients: tuple[bool, ...]

    def peak(self, optimizer: Optimizer) -> Memory:
        """The highest point of the passes, or of the optimiser's step where that needs more."""
        alive = list(accumulate(self.changes, initial=0))
        own = zip(self.changes, self.of_gradients, strict=True)
        gradients = list(accumulate((c if g else 0 for c, g in own), initial=0))
        learned = gradients[-1]
        top = max(range(len(alive)), key=alive.__getitem__)
        rest = alive[top] - gradients[top]
        stepping = TEMPORARIES[optimizer] * self.largest
        if learned + stepping > alive[top]:
            top, rest = -1, stepping
        return Memory(
            self.parameters,
            self.buffers,
            gradients[top],
            STATES[optimizer] * learned,
            self.inputs + rest,
        )


def peak(
    design: Design, batch: int = 1, mode: Mode = "inference", optimizer: Optimizer = "adam"
) -> Memory:
    """The peak of one forward pass, or of one training step. Takes 0.1 to 1 s the first time,
    of a giant of a hundred layers up to 6 s.

    Where an operation cannot be run on fake tensors, the figure is the profile's. Raises
    DesignError for a batch that there is not.
    """
    batch = BATCH.read(batch)
    try:
        return course(design, batch, mode).peak(optimizer)
    except UNABLE as unable:
        why = f"fake tensors cannot run {_operation(unable)}"
    except ValueError as unable:  # batch norm over one value a channel
        why = f"at batch={batch} the step itself fails ({unable})"
    return quick(design, batch, mode, optimizer, f"predicted from the layer tree: {why}")


def quick(
    design: Design,
    batch: int = 1,
    mode: Mode = "inference",
    optimizer: Optimizer = "adam",
    note: str = "predicted from the layer tree",
) -> Memory:
    """The same from the profile, in milliseconds: a sum over the layers, not a simulation."""
    found = profile(design, batch)
    if mode == "inference":
        parts = (0, 0, found.activation_bytes)
    else:
        share = found.trainable_params / max(found.params, 1)
        learned = round(found.parameter_bytes * share)
        parts = (learned, STATES[optimizer] * learned, found.input_bytes + found.saved_bytes)
    return Memory(found.parameter_bytes, found.buffer_bytes, *parts, note)


def over_batches(
    design: Design, batches: Sequence[int], mode: Mode, optimizer: Optimizer = "adam"
) -> tuple[Memory, ...]:
    """The peaks at many batches, for the price of three.

    What a step makes and releases is the same at every batch from 2 on, and each storage is a
    constant and a share per example: two simulations give the size of all. Where they do not agree
    in their steps (a loop over the examples), each batch is simulated.
    """
    grown = _grown(design, mode) if max(batches) > 1 else None
    return tuple(
        peak(design, batch, mode, optimizer)
        if grown is None or batch == 1
        else _between(*grown, batch).peak(optimizer)
        for batch in batches
    )


def largest_batch(
    design: Design, room_bytes: float, mode: Mode, optimizer: Optimizer = "adam"
) -> int:
    """The largest batch whose peak is at most `room_bytes`; 0 where not even one example fits.

    At most the largest batch that the studio knows.
    """

    def total(batch: int) -> int:
        return over_batches(design, (batch,), mode, optimizer)[0].total

    if peak(design, 1, mode, optimizer).total > room_bytes:
        return 0
    assert BATCH.le is not None
    return bisect_right(range(2, int(BATCH.le) + 1), room_bytes, key=total) + 1


@lru_cache(maxsize=64)
def course(design: Design, batch: int, mode: Mode) -> Course:
    """Run the two passes on fake tensors, and keep what was made and released."""
    with FakeTensorMode():
        model = _faked(blueprint(design)).train(mode == "training")
        with NoValues():
            inputs = design.family.example(design.config, batch)
        recorder = Recorder((*model.parameters(), *model.buffers(), *inputs))
        with recorder, torch.set_grad_enabled(mode == "training"):
            _run(model, inputs, mode)
        learned = [p.grad for p in model.parameters() if p.grad is not None]
        gradients = {recorder.numbers[storage(gradient)] for gradient in learned}
        changes = tuple(recorder.changes)
        return Course(
            parameters=_bytes(model.parameters()),
            buffers=_bytes(model.buffers()),
            inputs=_bytes(inputs),
            largest=max((gradient.nbytes for gradient in learned), default=0),
            changes=tuple(size for _, size in changes),
            of_gradients=tuple(number in gradients for number, _ in changes),
        )


class Recorder(Meter):  # type: ignore[no-untyped-call]
    """A meter that writes down each storage made (+) and released (-), with a number of its own.

    What is there before it starts is no part of the record.
    """

    def __init__(self, given: Iterable[Tensor]) -> None:
        super().__init__(watch_memory=True)
        self.changes: list[tuple[int, int]] = []
        self.numbers: dict[int, int] = {}  # storage -> its number
        self.watch(given)
        self.changes.clear()

    def _watch(self, tensor: Tensor) -> None:
        before = self.alive
        super()._watch(tensor)
        if self.alive > before:
            number = self.numbers[storage(tensor)] = len(self.changes)
            self.changes.append((number, self.alive - before))

    def _released(self, place: int, size: int, memory: Any) -> None:
        super()._released(place, size, memory)
        if size:
            self.changes.append((self.numbers[place], -size))


def _run(model: nn.Module, inputs: tuple[Tensor, ...], mode: Mode) -> None:
    """A function of its own, so that nothing is alive longer than in a loop that trains."""
    outputs = model(*inputs)
    if mode == "training":
        loss = _loss(outputs)
        del outputs
        loss.backward()  # type: ignore[no-untyped-call]


def _loss(outputs: Any) -> Tensor:
    floats = [t for t in tree_leaves(outputs) if isinstance(t, Tensor) and t.is_floating_point()]
    return torch.stack([output.square().mean() for output in floats]).sum()


def _faked(model: nn.Module) -> nn.Module:
    """The blueprint with fake tensors in the place of those on meta; tied weights stay tied.

    Some initialisers look at numbers that fake tensors do not have, so the model is not built here.
    """
    made: dict[int, Tensor] = {}
    for module in model.modules():
        for kind in (module._parameters, module._buffers):
            for name, tensor in kind.items():
                if tensor is not None:
                    if id(tensor) not in made:
                        made[id(tensor)] = _fake(tensor)
                    setattr(module, name, made[id(tensor)])
    return model


def _fake(tensor: Tensor) -> Tensor:
    fake = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    return nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake


@lru_cache(maxsize=64)
def _grown(design: Design, mode: Mode) -> tuple[Course, Course] | None:
    """The courses at batch 2 and 3, where these take the same steps."""
    try:
        two, three = course(design, 2, mode), course(design, 3, mode)
    except UNABLE:
        return None
    return (two, three) if two.of_gradients == three.of_gradients else None


def _between(two: Course, three: Course, batch: int) -> Course:
    """The course at any batch from 2 on: what changes from 2 to 3, so many times more."""
    more = batch - 2
    pairs = zip(two.changes, three.changes, strict=True)
    return replace(
        two,
        inputs=two.inputs + more * (three.inputs - two.inputs),
        changes=tuple(a + more * (b - a) for a, b in pairs),
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _operation(unable: Exception) -> str:
    """The operation that an exception of fake tensors names."""
    return str(getattr(unable, "func", unable)).removeprefix("aten.")
