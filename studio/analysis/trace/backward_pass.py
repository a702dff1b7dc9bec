"""The backward pass of a traced training step: autograd's own engine, over nodes that need not be
run.

An operation with a rule, and a module that was traced before, are one autograd node each. So torch
itself decides in what order gradients appear, and when a saved tensor is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Function

from studio.analysis.torch_private import no_dispatch_mode
from studio.analysis.trace.allocations import MemoryEvent, Timeline
from studio.analysis.trace.counter_mode import AllocationRecorder, Event
from studio.analysis.trace.pytree import StoredTensor, TensorLayout, tensor_maker
from studio.analysis.trace.rules.result import RuleResult

Gradients = tuple[Tensor | None, ...]


class CallerRelease(NamedTuple):
    """Where a timeline releases a tensor of the caller: an output, or the gradient of an output."""

    kind: str  # "gradient" or "output"
    number: int  # of the output


BackwardTimeline = tuple[Timeline | CallerRelease, ...]


class AutogradNode(Protocol):
    """What takes part in autograd in place of an operation; `made` and `saved` are dropped once it
    does."""

    made: Sequence[Tensor]
    saved: Sequence[Tensor]

    def backward(self, gradients: Gradients) -> Gradients: ...


class NodeFunction(Function):
    """Makes the outputs of a node part of autograd. `anchor` requires a gradient, so that the node
    takes part even if only its parameters need one."""

    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, node: AutogradNode, *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*node.saved)
        ctx.node, made = node, tuple(node.made)
        ctx.mark_non_differentiable(*(t for t in made if not t.requires_grad))
        node.made = node.saved = ()
        return tuple(t.requires_grad_(False) for t in made)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        return None, None, *ctx.node.backward(gradients)


class CaptureGradients(Function):
    """Passes on the inputs of a module that is traced on its own; puts their gradients into
    `found`."""

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


class SeedGradients(Function):
    """The start of a backward pass: a gradient for each output, whose storage numbers are put into
    `numbers`."""

    @staticmethod
    def forward(
        ctx: Any, counter: AllocationRecorder, numbers: list[int], *outputs: Tensor
    ) -> Tensor:
        ctx.counter, ctx.numbers = counter, numbers
        ctx.layouts = [TensorLayout.of(t)._replace(requires_grad=False) for t in outputs]
        return torch.empty((), device=outputs[0].device)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Any, ...]:
        made = [layout.empty() for layout in ctx.layouts]
        ctx.numbers[:] = map(ctx.counter.storage_number, made)
        return None, None, *made


class RuleNode:
    """The node of an operation with a rule, with the parameters of its module."""

    def __init__(
        self,
        rule_result: RuleResult,
        made: Sequence[Tensor],
        inputs: Sequence[Tensor],
        own: nn.Module | None = None,
    ) -> None:
        self.made, self.saved = made, rule_result.saved
        if rule_result.saved_bytes:
            self.saved = (
                *rule_result.saved,
                torch.empty(rule_result.saved_bytes, dtype=torch.uint8, device="meta"),
            )
        self.own, self.gradients = own, rule_result.gradients
        self.inputs = gradient_layouts(inputs)

    def backward(self, gradients: Gradients) -> Gradients:
        if self.own is not None:
            for parameter in self.own._parameters.values():
                _accumulate_gradient(parameter)
        given = next((g for g in gradients if g is not None), None)
        if given is None:
            return tuple(None for _ in self.inputs)
        return tuple(self.gradients(given, self.inputs))


def _accumulate_gradient(parameter: nn.Parameter | None) -> None:
    """Keep the first gradient of a parameter; a second one is added to it and freed."""
    if parameter is not None and parameter.requires_grad:
        gradient = torch.empty_like(parameter)
        if parameter.grad is None:
            parameter.grad = gradient


class InputGradient(NamedTuple):
    """Where the gradient of an input is stored: in a storage of its own, or in that of an
    output's."""

    placed: StoredTensor
    output: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedPasses:
    """What a module allocates and frees in its forward and backward pass.

    `retained_bytes` inside it stay between the two. `trained_params` are the positions of its
    parameters that get a gradient, `gradients` those of its inputs.
    """

    forward: Timeline
    backward: BackwardTimeline
    retained_bytes: int
    trained_params: tuple[int, ...]
    gradients: tuple[InputGradient | None, ...]


class ReplayNode:
    """The node of a module whose passes are known."""

    def __init__(
        self,
        known: RecordedPasses,
        counter: AllocationRecorder,
        parameters: Sequence[nn.Parameter],
        learned: set[int],
        made: Sequence[Tensor],
        saved: Sequence[Tensor],
    ) -> None:
        self.known, self.counter, self.learned = known, counter, learned
        self.parameters = parameters
        self.outputs = [counter.storage_number(t) for t in made]
        self.made, self.saved = made, saved
        with no_dispatch_mode():
            self.retained = torch.empty(
                max(known.retained_bytes, 0), dtype=torch.uint8, device="meta"
            )
        counter.adopt([self.retained])

    def backward(self, gradients: Gradients) -> Gradients:
        counter = self.counter
        counter.clear_marks()
        for entry in self.known.backward:
            if isinstance(entry, Timeline):
                counter.append(entry)
            else:
                self._mark(entry, gradients)
        counter.silence(self.retained)
        self._accumulate_gradients()
        make = tensor_maker()
        with no_dispatch_mode():
            found = tuple(
                None if gradient is None else _make_gradient(gradient, gradients, make)
                for gradient in self.known.gradients
            )
        counter.adopt(t for t in found if t is not None)
        return found

    def _mark(self, lent: CallerRelease, gradients: Gradients) -> None:
        gradient = gradients[lent.number]
        if lent.kind == "output":
            self.counter.mark(self.outputs[lent.number])
        elif gradient is not None:
            self.counter.mark(self.counter.storage_number(gradient))

    def _accumulate_gradients(self) -> None:
        """If a parameter has a gradient already, the sum with the new one is a third tensor."""
        again = 0
        for place in self.known.trained_params:
            parameter = self.parameters[place]
            if parameter.grad is not None or id(parameter) in self.learned:
                again += parameter.nbytes
            self.learned.add(id(parameter))
        if again:
            self.counter.append(Timeline((MemoryEvent(again, True), MemoryEvent(-2 * again, True))))


def _make_gradient(
    gradient: InputGradient, given: Gradients, make: Callable[[StoredTensor], Tensor]
) -> Tensor | None:
    if gradient.output is None:
        return make(gradient.placed)
    same, layout = given[gradient.output], gradient.placed.layout
    return None if same is None else same.as_strided(layout.shape, layout.stride)


def gradient_layouts(inputs: Iterable[Tensor]) -> list[TensorLayout | None]:
    """The layouts of the gradients of the inputs that need one."""
    return [
        TensorLayout.of(t)._replace(requires_grad=False) if t.requires_grad else None
        for t in inputs
    ]


def split_at_releases(
    events: Iterable[Event], lent: Mapping[int, CallerRelease], gradients: set[int]
) -> BackwardTimeline:
    """The events of a backward pass, split where it releases tensors of the caller."""
    found: list[Timeline | CallerRelease] = []
    entries: list[MemoryEvent | Timeline] = []
    for event in events:
        if isinstance(event, Timeline):
            entries.append(event)
        elif event[0] not in lent:
            if event[1]:
                entries.append(MemoryEvent(event[1], event[0] in gradients))
        elif event[1] < 0:
            found += [Timeline(tuple(entries)), lent[event[0]]]
            entries = []
    return *found, Timeline(tuple(entries))
