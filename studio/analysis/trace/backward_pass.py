"""The backward pass of a traced training step: autograd's own engine over what need not be run.

An operation that a rule tells, and a module that was traced before, take part in autograd as one
node. So torch itself decides in what order gradients appear, and when a saved tensor is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Function

from studio.analysis.trace.allocations import Change, Tape
from studio.analysis.trace.counter_mode import Event, Recorder
from studio.analysis.trace.pytree import Layout, Placed, maker
from studio.analysis.trace.rules.result import Ruled

unmetered = torch._C._DisableTorchDispatch
Gradients = tuple[Tensor | None, ...]


class Lent(NamedTuple):
    """Where a tape frees what belongs to the caller: the gradient of an output, or an output."""

    kind: str  # "gradient" or "output"
    number: int  # of the output


Backward = tuple[Tape | Lent, ...]


class Node(Protocol):
    """What autograd has in the place of an operation: `made` and `saved` until it is joined."""

    made: Sequence[Tensor]
    saved: Sequence[Tensor]

    def backward(self, gradients: Gradients) -> Gradients: ...


class Joined(Function):
    """The outputs of a node as autograd's own. `anchor` needs a gradient, so that a node has one
    whose inputs need none, and whose parameters do."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*node.saved)
        ctx.node, made = node, tuple(node.made)
        ctx.mark_non_differentiable(*(t for t in made if not t.requires_grad))
        node.made = node.saved = ()
        return tuple(t.requires_grad_(False) for t in made)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        return None, None, *ctx.node.backward(gradients)


class Opened(Function):
    """The inputs of a module that is traced apart; `found` are their gradients in the end."""

    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, found: list[Tensor | None], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.found = found
        return inputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        ctx.found[:] = gradients
        return None, None, *(None for _ in gradients)


class Seeded(Function):
    """What a backward pass starts from: each output gets a gradient, whose storages' numbers come
    into `numbers`."""

    @staticmethod
    def forward(ctx: Any, meter: Recorder, numbers: list[int], *outputs: Tensor) -> Tensor:
        ctx.meter, ctx.numbers = meter, numbers
        ctx.layouts = [Layout.of(t)._replace(requires_grad=False) for t in outputs]
        return torch.empty((), device=outputs[0].device)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Any, ...]:
        made = [layout.empty() for layout in ctx.layouts]
        ctx.numbers[:] = map(ctx.meter.number, made)
        return None, None, *made


class Operation:
    """The node of an operation that a rule tells, with the parameters of its module."""

    def __init__(
        self,
        ruled: Ruled,
        made: Sequence[Tensor],
        inputs: Sequence[Tensor],
        own: nn.Module | None = None,
    ) -> None:
        self.made, self.saved = made, ruled.kept
        if ruled.kept_bytes:
            self.saved = (
                *ruled.kept,
                torch.empty(ruled.kept_bytes, dtype=torch.uint8, device="meta"),
            )
        self.own, self.gradients = own, ruled.gradients
        self.inputs = needed(inputs)

    def backward(self, gradients: Gradients) -> Gradients:
        if self.own is not None:
            for parameter in self.own._parameters.values():
                _learn(parameter)
        given = next((g for g in gradients if g is not None), None)
        if given is None:
            return tuple(None for _ in self.inputs)
        return tuple(self.gradients(given, self.inputs))


def _learn(parameter: nn.Parameter | None) -> None:
    """The gradient of a parameter stays; one that comes second is added to it, and freed."""
    if parameter is not None and parameter.requires_grad:
        gradient = torch.empty_like(parameter)
        if parameter.grad is None:
            parameter.grad = gradient


class Gradient(NamedTuple):
    """Where the gradient of an input lies: in a storage of its own, or in that of an output's."""

    placed: Placed
    output: int | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """What a module allocates and frees in its forward and in its backward pass; `kept` bytes
    inside it stay between the two. `learned` are the places of its parameters that get a gradient,
    `gradients` are those of its inputs."""

    forward: Tape
    backward: Backward
    kept: int
    learned: tuple[int, ...]
    gradients: tuple[Gradient | None, ...]


class Replayed:
    """The node of a module whose passes are known."""

    def __init__(
        self,
        known: Pass,
        meter: Recorder,
        module: nn.Module,
        learned: set[int],
        made: Sequence[Tensor],
        saved: Sequence[Tensor],
    ) -> None:
        self.known, self.meter, self.module, self.learned = known, meter, module, learned
        self.outputs = [meter.number(t) for t in made]
        self.made, self.saved = made, saved
        with unmetered():
            self.kept = torch.empty(max(known.kept, 0), dtype=torch.uint8, device="meta")
        meter.adopt([self.kept])

    def backward(self, gradients: Gradients) -> Gradients:
        meter = self.meter
        meter.forget_marks()
        for entry in self.known.backward:
            if isinstance(entry, Tape):
                meter.enter(entry)
            else:
                self._mark(entry, gradients)
        meter.silence(self.kept)
        self._learn()
        make = maker()
        with unmetered():
            found = tuple(
                None if gradient is None else _made(gradient, gradients, make)
                for gradient in self.known.gradients
            )
        meter.adopt(t for t in found if t is not None)
        return found

    def _mark(self, lent: Lent, gradients: Gradients) -> None:
        gradient = gradients[lent.number]
        if lent.kind == "output":
            self.meter.mark(self.outputs[lent.number])
        elif gradient is not None:
            self.meter.mark(self.meter.number(gradient))

    def _learn(self) -> None:
        """To a parameter that has a gradient already the new one is added, into a third tensor."""
        again = 0
        parameters = list(self.module.parameters()) if self.known.learned else []
        for place in self.known.learned:
            parameter = parameters[place]
            if parameter.grad is not None or id(parameter) in self.learned:
                again += parameter.nbytes
            self.learned.add(id(parameter))
        if again:
            self.meter.enter(Tape((Change(again, True), Change(-2 * again, True))))


def _made(gradient: Gradient, given: Gradients, make: Callable[[Placed], Tensor]) -> Tensor | None:
    if gradient.output is None:
        return make(gradient.placed)
    same, layout = given[gradient.output], gradient.placed.layout
    return None if same is None else same.as_strided(layout.shape, layout.stride)


def needed(inputs: Iterable[Tensor]) -> list[Layout | None]:
    """How the gradients of those inputs look that need one."""
    return [Layout.of(t)._replace(requires_grad=False) if t.requires_grad else None for t in inputs]


def lending(events: Iterable[Event], lent: Mapping[int, Lent], gradients: set[int]) -> Backward:
    """The events of a backward pass, with the places where it frees what is lent to it."""
    found: list[Tape | Lent] = []
    entries: list[Change | Tape] = []
    for event in events:
        if isinstance(event, Tape):
            entries.append(event)
        elif event[0] not in lent:
            entries += [Change(event[1], event[0] in gradients)] * bool(event[1])
        elif event[1] < 0:
            found += [Tape(tuple(entries)), lent[event[0]]]
            entries = []
    return *found, Tape(tuple(entries))
