"""Trace a training step on meta: what it saves for the backward pass, and all that it allocates.

Each module that is seen for the first time is taken out of the model: its forward and its backward
pass run by themselves under autograd, between inputs and gradients that are lent to it. What they
allocate and free is its tape. In the model, and wherever an equal module is called, it then is a
single node of autograd, whose two passes are entered from the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves

from studio.analysis.trace.allocations import Change, Tape
from studio.analysis.trace.backward_pass import (
    Gradient,
    Joined,
    Lent,
    Opened,
    Operation,
    Pass,
    Replayed,
    Seeded,
    lending,
)
from studio.analysis.trace.counter_mode import Event, Reading, Recorder, storage
from studio.analysis.trace.memo import MEMO, Frame, Known, Memo
from studio.analysis.trace.pytree import Placed, maker, mapped, placer, tensors_in
from studio.analysis.trace.rules.kernels import MODULE_RULES
from studio.analysis.trace.rules.result import Ruled
from studio.analysis.trace.tracer import Tracer, unmetered, unseen
from studio.analysis.trace.tree import Body, First


def rehearse(
    model: nn.Module, inputs: tuple[Tensor, ...], memo: Memo | None = None
) -> tuple[Body, Tape, int]:
    """The trace of a model in training mode; the tape of its two passes: forward, the mean of the
    squared outputs as loss, backward (what is there before them is not on it); and the bytes of the
    parameters that get a gradient."""
    memo = MEMO if memo is None else memo
    with memo.lock:
        memo.renew()
        tracer = Rehearsal(model, memo)
        try:
            with tracer.recording():
                tracer.step(model, inputs)
            body, tape = tracer.outermost.calls[0].body, tracer.tape(model)
            return body, tape, sum(p.nbytes for p in model.parameters() if tracer.has_learned(p))
        finally:
            model.zero_grad(set_to_none=True)


def loss(outputs: Any) -> Tensor:
    """The sum of the means of all squared outputs: a loss that there is for every model."""
    floats = [t for t in tree_leaves(outputs) if isinstance(t, Tensor) and t.is_floating_point()]
    return torch.stack([output.square().mean() for output in floats]).sum()


class Rehearsal(Tracer):
    """A tracer of a forward and a backward pass."""

    meter: Recorder

    def __init__(self, model: nn.Module, memo: Memo) -> None:
        super().__init__(model, memo, Recorder())
        # What is there anyway is not saved.
        self.constants = {storage(t) for t in (*model.parameters(), *model.buffers())}
        self.learned: set[int] = set()  # parameters (their ids) that have a gradient by now
        self.anchor = torch.empty(0, device="meta", requires_grad=True)

    def step(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """The two passes; a method of its own, so that nothing lives longer than in a loop."""
        outputs = model(*inputs)
        with unseen():
            total = loss(outputs)
            del outputs
            total.backward()  # type: ignore[no-untyped-call]

    def has_learned(self, parameter: nn.Parameter) -> bool:
        return parameter.grad is not None or id(parameter) in self.learned

    def tape(self, model: nn.Module) -> Tape:
        own = {self.meter.number(p.grad) for p in model.parameters() if p.grad is not None}
        return _tape(self.meter.events, own)

    def _mode(self) -> AbstractContextManager[Any]:
        return saved_tensors_hooks(self._save, lambda tensor: tensor)

    # -- modules -----------------------------------------------------------------------------

    def _apart(
        self, key: Hashable, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any
    ) -> Known | None:
        if key is None or _is_in(key, self.memo.plain):
            return None
        outer, self.learned = self.learned, set()
        with self.meter.apart() as made:
            known = self._by_rule(module, args, kw, made)
            known = known or self._alone(module, forward, args, kw, made)
        self.learned = outer
        if known.aliased:
            self.memo.plain.add(key)
            return None
        self._remember(key, known)
        return known

    def _by_rule(self, module: nn.Module, args: Any, kw: Any, made: list[Event]) -> Known | None:
        """What a rule says of a layer of torch's own, whose passes need not be run."""
        rule = MODULE_RULES.get(type(module).forward)
        with unseen():
            inputs = list(tensors_in((args, kw)))
            ruled = rule(module, *inputs) if rule else None
            if ruled is None:
                return None
            frame = self._enter(module, inputs)
            outputs = list(tensors_in(ruled.outputs))
            node = Operation(ruled, outputs, inputs, module)
            for tensor in node.saved:
                self._save(tensor)
            known = self._known(frame, ruled.outputs, Reading(ruled.macs, ruled.written, 0))
            self.frames.pop()
            return replace(known, step=self._ruled_pass(module, node, known.body, outputs, made))

    def _ruled_pass(
        self,
        module: nn.Module,
        node: Operation,
        body: Body,
        outputs: list[Tensor],
        made: list[Event],
    ) -> Pass:
        forward = _tape(made)
        kept = forward.level.end - sum(t.untyped_storage().nbytes() for t in outputs)
        if not any(t.requires_grad for t in outputs):
            return Pass(forward, (), kept, (), ())
        with self.meter.apart():
            gradients = tuple(torch.empty_like(t, requires_grad=False) for t in outputs)
        with self.meter.apart() as freed:
            given = node.backward(gradients)
        place = placer()
        numbers = [self.meter.number(t) for t in gradients]
        seeds = dict(zip(numbers, range(len(outputs)), strict=True))
        with self.meter.apart():
            places, own = self._gradients(module)
            found = tuple(
                None if t is None else Gradient(place(t), seeds.get(self.meter.number(t)))
                for t in given
            )
            del given
        lent = [Lent("gradient", i) for i in range(len(outputs))]
        lent += [Lent("output", i) for i, size in enumerate(body.saved_outputs) if size]
        backward = (*lending(freed, {}, own), *lent, _tape([(0, -kept)]))
        return Pass(forward, backward, kept, places, found)

    def _alone(
        self, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any, made: list[Event]
    ) -> Known:
        """A module's two passes by themselves; `made` fills with what the forward pass does."""
        found: list[Tensor | None] = []
        with unseen():
            args, kw = self._opened((args, kw), found)
            inputs = list(tensors_in((args, kw)))
            frame, mark = self._enter(module, inputs), self.meter.begin()
        held = [self._run(module, forward, args, kw)]
        with unseen():
            known = self._known(frame, held[0], self.meter.end(mark)._replace(peak=0))
            self.frames.pop()
            if known.aliased:
                return known
            outputs = list(tensors_in(held.pop()))
            return replace(known, step=self._pass(module, inputs, outputs, found, made))

    def _opened(self, given: Any, found: list[Tensor | None]) -> Any:
        """The same arguments, cut off from the model's graph; their gradients come into `found`."""
        learned = [t for t in tensors_in(given) if t.requires_grad]
        if not learned or not torch.is_grad_enabled():
            return given
        opened = iter(Opened.apply(self.anchor, found, *(t.detach() for t in learned)))  # type: ignore[no-untyped-call]
        return mapped(given, Tensor, lambda t: next(opened) if t.requires_grad else t)

    def _pass(
        self,
        module: nn.Module,
        inputs: list[Tensor],
        outputs: list[Tensor],
        found: list[Tensor | None],
        made: list[Event],
    ) -> Pass:
        """Run the backward pass too, `outputs` let go before it as a caller does."""
        forward, whole = _tape(made), {storage(t): t for t in outputs}
        kept = forward.level.end - sum(t.untyped_storage().nbytes() for t in whole.values())
        learned = [i for i, t in enumerate(outputs) if t.requires_grad]
        lent = {self.meter.number(t): Lent("output", i) for i, t in enumerate(outputs)}
        seeds: list[int] = []
        with self.meter.apart():
            seeded = [outputs[i] for i in learned]
            start = Seeded.apply(self.meter, seeds, *seeded) if seeded else None  # type: ignore[no-untyped-call]
            del seeded, whole
            outputs.clear()
        with self.meter.apart() as freed:
            if start is not None:
                start.backward()
        lent |= {number: Lent("gradient", i) for number, i in zip(seeds, learned, strict=False)}
        with self.meter.apart():
            places, own = self._gradients(module)
            given = self._given(inputs, found, dict(zip(seeds, learned, strict=False)))
            found.clear()
        backward = lending(freed, lent, own)
        levels = [entry.level for entry in backward if isinstance(entry, Tape)]
        fresh = {g.placed.storage: g.placed.nbytes for g in given if g and g.output is None}
        left = kept + sum(level.end - level.end_gradients for level in levels) - sum(fresh.values())
        return Pass(forward, (*backward, _tape([(0, -left)])), kept, places, given)

    def _gradients(self, module: nn.Module) -> tuple[tuple[int, ...], set[int]]:
        """The places of those parameters of a module that have a gradient now, and the storages of
        these gradients, which are taken away."""
        places, own = [], set()
        for i, parameter in enumerate(module.parameters()):
            if parameter.grad is not None:
                own.add(self.meter.number(parameter.grad))
                parameter.grad = None
                places.append(i)
            elif self.has_learned(parameter):
                places.append(i)
        return tuple(places), own

    def _given(
        self, inputs: list[Tensor], found: list[Tensor | None], seeds: dict[int, int]
    ) -> tuple[Gradient | None, ...]:
        """How the gradients of the inputs are made."""
        place, gradients = placer(), iter(found)
        made: list[Gradient | None] = []
        for tensor in inputs:
            gradient = next(gradients, None) if tensor.requires_grad else None
            if gradient is None:
                made.append(None)
            else:
                made.append(Gradient(place(gradient), seeds.get(self.meter.number(gradient))))
        return tuple(made)

    def _replay(self, known: Known, module: nn.Module, tensors: list[Tensor]) -> Any:
        assert known.step is not None
        self.meter.add(known.body.macs, known.body.activation_count)
        self.meter.enter(known.step.forward)
        with unmetered():
            result = mapped(known.result, Placed, maker())
        made = list(tensors_in(result))
        self.meter.adopt(made)
        sizes = (*known.body.saved_inputs, *known.body.saved_outputs)
        saved = [t for t, size in zip((*tensors, *made), sizes, strict=True) if size]
        node = Replayed(known.step, self.meter, module, self.learned, made, saved)
        if known.saved_inside:
            self.frames[-1].saved[self.meter.number(node.kept)] = known.saved_inside
        return self._joined(node, result, tensors)

    # -- operations --------------------------------------------------------------------------

    def _apply(self, ruled: Ruled, inputs: list[Tensor], module: nn.Module | None = None) -> Any:
        self.meter.add(ruled.macs, ruled.written)
        made = list(tensors_in(ruled.outputs))
        return self._joined(Operation(ruled, made, inputs, module), ruled.outputs, inputs)

    def _joined(self, node: Operation | Replayed, result: Any, inputs: list[Tensor]) -> Any:
        """The result as the outputs of a node of autograd, where one of them needs a gradient."""
        if not any(t.requires_grad for t in node.made):
            node.made = node.saved = ()
            return result
        outputs = iter(Joined.apply(self.anchor, node, *inputs))  # type: ignore[no-untyped-call]
        return mapped(result, Tensor, lambda _: next(outputs))

    def _save(self, tensor: Tensor) -> Tensor:
        """Note that a tensor is saved for the backward pass (parameters are there anyway)."""
        memory = storage(tensor)
        if memory not in self.constants:
            size = tensor.untyped_storage().nbytes()
            self.frames[-1].saved.setdefault(self.meter.number(tensor), size)
        return tensor

    def _new(self, frame: Frame, places: list[int]) -> tuple[int, tuple[First, ...]]:
        new = list(islice(frame.saved.items(), frame.booked, None))
        frame.booked += len(new)
        saved, first = 0, []
        for place, size in new:
            given = frame.places.index(place) if place in frame.places else -1
            if place in places or given >= 0:
                number = places.index(place) if place in places else -1
                first.append(First(size, number, given))
            else:
                saved += size
        return saved, tuple(first)

    def _place(self, memory: UntypedStorage) -> int:
        return self.meter.number_of(memory)


def _tape(events: list[Event], gradients: frozenset[int] | set[int] = frozenset()) -> Tape:
    return Tape(
        tuple(
            event if isinstance(event, Tape) else Change(event[1], event[0] in gradients)
            for event in events
            if isinstance(event, Tape) or event[1]
        )
    )


def _is_in(key: Hashable, keys: set[Hashable]) -> bool:
    try:
        return key in keys
    except TypeError:  # an argument that cannot be compared by value
        return True
