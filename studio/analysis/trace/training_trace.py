"""Trace a training step on the meta device: what it saves for the backward pass, and all that it
allocates.

Each module that is new is run on its own: its forward and backward pass under autograd, with inputs
and gradients that belong to the caller. What they allocate and free is its timeline. In the model,
and wherever an equal module is called, it is then a single autograd node, whose two passes are
replayed from the timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.autograd.graph import saved_tensors_hooks

from studio.analysis.torch_private import no_dispatch_mode, no_function_mode, tree_leaves
from studio.analysis.trace.allocations import MemoryEvent, Timeline
from studio.analysis.trace.backward_pass import (
    CallerRelease,
    CaptureGradients,
    InputGradient,
    NodeFunction,
    RecordedPasses,
    ReplayNode,
    RuleNode,
    SeedGradients,
    split_at_releases,
)
from studio.analysis.trace.counter_mode import AllocationRecorder, Counts, Event, memory_of
from studio.analysis.trace.memo import MEMO, ActiveCall, CachedTrace, Memo
from studio.analysis.trace.pytree import (
    StoredTensor,
    map_instances,
    storage_reader,
    tensor_maker,
    tensors_in,
)
from studio.analysis.trace.rules.kernels import MODULE_RULES
from studio.analysis.trace.rules.result import RuleResult
from studio.analysis.trace.tracer import Tracer
from studio.analysis.trace.tree import FirstSave, Trace


def trace_training(
    model: nn.Module, inputs: tuple[Tensor, ...], memo: Memo | None = None
) -> tuple[Trace, Timeline, int]:
    """The trace of a model in training mode, the timeline of its step, and the bytes of all
    gradients.

    The step is forward, the mean of the squared outputs as loss, and backward; what exists before
    it is not in the timeline.
    """
    memo = MEMO if memo is None else memo
    with memo.lock:
        memo.clear_if_full()
        tracer = TrainingTracer(model, memo)
        try:
            with tracer.recording():
                tracer.run_step(model, inputs)
            trace, timeline = tracer.outermost.calls[0].trace, tracer.timeline(model)
            return (
                trace,
                timeline,
                sum(p.nbytes for p in tracer.parameters(model) if tracer.has_gradient(p)),
            )
        finally:
            model.zero_grad(set_to_none=True)


def loss(outputs: Any) -> Tensor:
    """The sum of the mean squares of all outputs: a loss that every model has."""
    floats = [t for t in tree_leaves(outputs) if isinstance(t, Tensor) and t.is_floating_point()]
    return torch.stack([output.square().mean() for output in floats]).sum()


class TrainingTracer(Tracer):
    """A tracer of a forward and a backward pass."""

    counter: AllocationRecorder

    def __init__(self, model: nn.Module, memo: Memo) -> None:
        super().__init__(model, memo, AllocationRecorder())
        # Parameters and buffers exist anyway, and do not count as saved.
        self.known_parameters: dict[nn.Module, tuple[nn.Parameter, ...]] = {}
        constants = (*self.parameters(model), *model.buffers())
        self.constants = {memory_of(t) for t in constants}
        self.learned: set[int] = set()  # ids of the parameters that have a gradient by now
        self.anchor = torch.empty(0, device="meta", requires_grad=True)

    def run_step(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """The two passes; a method of its own, so that no local variable keeps a tensor alive."""
        outputs = model(*inputs)
        with no_function_mode():
            total = loss(outputs)
            del outputs
            total.backward()  # type: ignore[no-untyped-call]

    def parameters(self, module: nn.Module) -> tuple[nn.Parameter, ...]:
        """Those of `module.parameters()`, which takes long, as it walks all modules each time."""
        found = self.known_parameters.get(module)
        if found is None:
            own = (p for p in module._parameters.values() if p is not None)
            inside = (self.parameters(child) for child in module.children())
            found = tuple(dict.fromkeys(chain(own, *inside)))
            self.known_parameters[module] = found
        return found

    def has_gradient(self, parameter: nn.Parameter) -> bool:
        return parameter.grad is not None or id(parameter) in self.learned

    def timeline(self, model: nn.Module) -> Timeline:
        own = {
            self.counter.storage_number(p.grad)
            for p in self.parameters(model)
            if p.grad is not None
        }
        return _timeline(self.counter.events, own)

    def _autograd_mode(self) -> AbstractContextManager[Any]:
        return saved_tensors_hooks(self._save, lambda tensor: tensor)

    # -- modules -----------------------------------------------------------------------------

    def _trace_separately(
        self, key: Hashable, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any
    ) -> CachedTrace | None:
        if key is None or _is_in(key, self.memo.passthrough_keys):
            return None
        outer, self.learned = self.learned, set()
        with self.counter.separate_events() as made:
            known = self._by_rule(module, args, kw, made)
            known = known or self._trace_alone(module, forward, args, kw, made)
        self.learned = outer
        if known.aliased:
            self.memo.passthrough_keys.add(key)
            return None
        self._store(key, known)
        return known

    def _by_rule(
        self, module: nn.Module, args: Any, kw: Any, made: list[Event]
    ) -> CachedTrace | None:
        """The trace of a torch layer that has a rule, whose passes need not be run."""
        rule = MODULE_RULES.get(type(module).forward)
        with no_function_mode():
            inputs = tensors_in((args, kw))
            rule_result = rule(module, *inputs) if rule else None
            if rule_result is None:
                return None
            frame = self._enter(module, inputs)
            outputs = tensors_in(rule_result.outputs)
            node = RuleNode(rule_result, outputs, inputs, module)
            for tensor in node.saved:
                self._save(tensor)
            known = self._cached_trace(
                frame,
                rule_result.outputs,
                Counts(rule_result.macs, rule_result.activation_count, 0),
            )
            self.frames.pop()
            return replace(
                known, passes=self._passes_by_rule(module, node, known.trace, outputs, made)
            )

    def _passes_by_rule(
        self,
        module: nn.Module,
        node: RuleNode,
        trace: Trace,
        outputs: list[Tensor],
        made: list[Event],
    ) -> RecordedPasses:
        forward = _timeline(made)
        retained = forward.usage.end - sum(t.untyped_storage().nbytes() for t in outputs)
        if not any(t.requires_grad for t in outputs):
            return RecordedPasses(forward, (), retained, (), ())
        with self.counter.separate_events():
            gradients = tuple(torch.empty_like(t, requires_grad=False) for t in outputs)
        with self.counter.separate_events() as freed:
            given = node.backward(gradients)
        place = storage_reader()
        numbers = [self.counter.storage_number(t) for t in gradients]
        seeds = dict(zip(numbers, range(len(outputs)), strict=True))
        with self.counter.separate_events():
            places, own = self._take_gradients(module)
            found = tuple(
                None
                if t is None
                else InputGradient(place(t), seeds.get(self.counter.storage_number(t)))
                for t in given
            )
            del given
        lent = [CallerRelease("gradient", i) for i in range(len(outputs))]
        lent += [CallerRelease("output", i) for i, size in enumerate(trace.saved_outputs) if size]
        backward = (*split_at_releases(freed, {}, own), *lent, _timeline([(0, -retained)]))
        return RecordedPasses(forward, backward, retained, places, found)

    def _trace_alone(
        self, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any, made: list[Event]
    ) -> CachedTrace:
        """A module's two passes on their own; `made` fills with the events of the forward pass."""
        found: list[Tensor | None] = []
        with no_function_mode():
            args, kw = self._detach_inputs((args, kw), found)
            inputs = tensors_in((args, kw))
            frame, mark = self._enter(module, inputs), self.counter.begin()
        result = [self._run(module, forward, args, kw)]
        with no_function_mode():
            known = self._cached_trace(
                frame, result[0], self.counter.end(mark)._replace(peak_bytes=0)
            )
            self.frames.pop()
            if known.aliased:
                return known
            outputs = tensors_in(result.pop())
            return replace(known, passes=self._run_passes(module, inputs, outputs, found, made))

    def _detach_inputs(self, given: Any, found: list[Tensor | None]) -> Any:
        """The same arguments detached from the model's graph; their gradients are put into
        `found`."""
        learned = [t for t in tensors_in(given) if t.requires_grad]
        if not learned or not torch.is_grad_enabled():
            return given
        opened = iter(CaptureGradients.apply(self.anchor, found, *(t.detach() for t in learned)))  # type: ignore[no-untyped-call]
        return map_instances(given, Tensor, lambda t: next(opened) if t.requires_grad else t)

    def _run_passes(
        self,
        module: nn.Module,
        inputs: list[Tensor],
        outputs: list[Tensor],
        found: list[Tensor | None],
        made: list[Event],
    ) -> RecordedPasses:
        """Run the backward pass too; `outputs` are released before it, as a caller does."""
        forward, whole = _timeline(made), {memory_of(t): t for t in outputs}
        retained = forward.usage.end - sum(t.untyped_storage().nbytes() for t in whole.values())
        learned = [i for i, t in enumerate(outputs) if t.requires_grad]
        lent = {
            self.counter.storage_number(t): CallerRelease("output", i)
            for i, t in enumerate(outputs)
        }
        seeds: list[int] = []
        with self.counter.separate_events():
            seeded = [outputs[i] for i in learned]
            start = SeedGradients.apply(self.counter, seeds, *seeded) if seeded else None  # type: ignore[no-untyped-call]
            del seeded, whole
            outputs.clear()
        with self.counter.separate_events() as freed:
            if start is not None:
                start.backward()
        lent |= {
            number: CallerRelease("gradient", i) for number, i in zip(seeds, learned, strict=False)
        }
        with self.counter.separate_events():
            places, own = self._take_gradients(module)
            given = self._input_gradients(inputs, found, dict(zip(seeds, learned, strict=False)))
            found.clear()
        backward = split_at_releases(freed, lent, own)
        levels = [entry.usage for entry in backward if isinstance(entry, Timeline)]
        fresh = {g.placed.storage: g.placed.nbytes for g in given if g and g.output is None}
        left = (
            retained
            + sum(level.end - level.end_gradients for level in levels)
            - sum(fresh.values())
        )
        return RecordedPasses(
            forward, (*backward, _timeline([(0, -left)])), retained, places, given
        )

    def _take_gradients(self, module: nn.Module) -> tuple[tuple[int, ...], set[int]]:
        """Which parameters of a module have a gradient now, by position, and the storages of these
        gradients, which are removed."""
        places, own = [], set()
        for i, parameter in enumerate(self.parameters(module)):
            if parameter.grad is not None:
                own.add(self.counter.storage_number(parameter.grad))
                parameter.grad = None
                places.append(i)
            elif self.has_gradient(parameter):
                places.append(i)
        return tuple(places), own

    def _input_gradients(
        self, inputs: list[Tensor], found: list[Tensor | None], seeds: dict[int, int]
    ) -> tuple[InputGradient | None, ...]:
        """How the gradients of the inputs are stored."""
        place, gradients = storage_reader(), iter(found)
        made: list[InputGradient | None] = []
        for tensor in inputs:
            gradient = next(gradients, None) if tensor.requires_grad else None
            if gradient is None:
                made.append(None)
            else:
                made.append(
                    InputGradient(place(gradient), seeds.get(self.counter.storage_number(gradient)))
                )
        return tuple(made)

    def _replay(self, known: CachedTrace, module: nn.Module, tensors: list[Tensor]) -> Any:
        assert known.passes is not None
        self.counter.add(known.trace.macs, known.trace.activation_count)
        self.counter.append(known.passes.forward)
        with no_dispatch_mode():
            result = map_instances(known.result, StoredTensor, tensor_maker())
        made = tensors_in(result)
        self.counter.adopt(made)
        sizes = (*known.trace.saved_inputs, *known.trace.saved_outputs)
        saved = [t for t, size in zip((*tensors, *made), sizes, strict=True) if size]
        parameters = self.parameters(module) if known.passes.trained_params else ()
        node = ReplayNode(known.passes, self.counter, parameters, self.learned, made, saved)
        if known.saved_inside:
            self.frames[-1].saved[self.counter.storage_number(node.retained)] = known.saved_inside
        return self._as_node_outputs(node, result, tensors)

    # -- operations --------------------------------------------------------------------------

    def _apply_rule(
        self, rule_result: RuleResult, inputs: list[Tensor], module: nn.Module | None = None
    ) -> Any:
        self.counter.add(rule_result.macs, rule_result.activation_count)
        made = tensors_in(rule_result.outputs)
        return self._as_node_outputs(
            RuleNode(rule_result, made, inputs, module), rule_result.outputs, inputs
        )

    def _as_node_outputs(
        self, node: RuleNode | ReplayNode, result: Any, inputs: list[Tensor]
    ) -> Any:
        """The result as the outputs of an autograd node, if one of them needs a gradient."""
        if not any(t.requires_grad for t in node.made):
            node.made = node.saved = ()
            return result
        outputs = iter(NodeFunction.apply(self.anchor, node, *inputs))  # type: ignore[no-untyped-call]
        return map_instances(result, Tensor, lambda _: next(outputs))

    def _save(self, tensor: Tensor) -> Tensor:
        """Record that a tensor is saved for the backward pass (parameters exist anyway)."""
        memory = memory_of(tensor)
        if memory not in self.constants:
            size = tensor.untyped_storage().nbytes()
            self.frames[-1].saved.setdefault(self.counter.storage_number(tensor), size)
        return tensor

    def _new_saves(self, frame: ActiveCall, places: list[int]) -> tuple[int, tuple[FirstSave, ...]]:
        new = list(islice(frame.saved.items(), frame.reported, None))
        frame.reported += len(new)
        saved, first = 0, []
        for place, size in new:
            given = frame.input_storage_ids.index(place) if place in frame.input_storage_ids else -1
            if place in places or given >= 0:
                number = places.index(place) if place in places else -1
                first.append(FirstSave(size, number, given))
            else:
                saved += size
        return saved, tuple(first)

    def _storage_id(self, memory: UntypedStorage) -> int:
        return self.counter.number_of(memory)


def _timeline(events: list[Event], gradients: frozenset[int] | set[int] = frozenset()) -> Timeline:
    return Timeline(
        tuple(
            event if isinstance(event, Timeline) else MemoryEvent(event[1], event[0] in gradients)
            for event in events
            if isinstance(event, Timeline) or event[1]
        )
    )


def _is_in(key: Hashable, keys: set[Hashable]) -> bool:
    try:
        return key in keys
    except TypeError:  # an argument that cannot be compared by value
        return True
