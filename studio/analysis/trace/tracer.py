"""Trace a model: run it once on the meta device and record what happens as a tree.

Every module call, and every operation between modules, is a `Call` of a `Trace`. Equal modules with
equal inputs are traced once and share the result (`studio.analysis.trace.module_index`), so tracing
does not take longer for a deeper model, and "block × 12" is one trace called twelve times.

Multiply-accumulates (MACs) come from torch's formulas (`torch.utils.flop_counter`, halved):
convolutions and matrix products, without biases, norms and activations.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.overrides import TorchFunctionMode

from studio.analysis.torch_private import no_dispatch_mode, no_function_mode, storage_id
from studio.analysis.trace import kernel_window
from studio.analysis.trace.counter_mode import CounterMode, Counts, memory_of
from studio.analysis.trace.memo import MEMO, ActiveCall, CachedTrace, Memo
from studio.analysis.trace.module_index import index_modules
from studio.analysis.trace.pytree import (
    StoredTensor,
    map_instances,
    storage_reader,
    tensor_maker,
    tensors_in,
    tree_key,
)
from studio.analysis.trace.rules.kernels import FUNCTION_RULES, MODULE_RULES
from studio.analysis.trace.rules.result import RuleResult
from studio.analysis.trace.tree import INPUT, Call, FirstSave, NamedShapes, Source, Trace

Sources = tuple[Source | str | None, ...]
MAX_FRAMES = 12  # Python frames searched for the module's forward
# Operations that only move or copy data, and are not drawn.
DATA_MOVES = frozenset({"reshape", "contiguous", "clone", "to", "float", "type_as", "detach"})
SHOWN_ARGUMENTS = ("mode", "is_causal")


def trace(model: nn.Module, inputs: tuple[Tensor, ...], memo: Memo | None = None) -> Trace:
    """Run `model(*inputs)`, both on the meta device, and return the trace.

    It includes the peak of live bytes. Equal traces are reused from `memo` (by default one for the
    process). The model must not modify tensors in place.
    """
    memo = MEMO if memo is None else memo
    with memo.lock:
        memo.clear_if_full()
        tracer = Tracer(model, memo)
        with tracer.recording():
            model(*inputs)
    return tracer.outermost.calls[0].trace


class Tracer(TorchFunctionMode):
    """Intercepts every module call (by replacing `forward`) and every torch function
    between them."""

    def __init__(self, model: nn.Module, memo: Memo, counter: CounterMode | None = None) -> None:
        super().__init__()
        self.memo, self.training = memo, model.training
        self.index = index_modules(model, memo.signatures)
        self.counter = counter or CounterMode()
        self.outermost = ActiveCall(nn.Module(), leaf=False)
        self.frames = [self.outermost]

    @contextmanager
    def recording(self) -> Iterator[None]:
        for module in self.index.names:
            vars(module)["forward"] = partial(self._call, module, module.forward)
        try:
            with self._autograd_mode(), self.counter, self:
                yield
        finally:
            for module in self.index.names:
                del vars(module)["forward"]

    def _autograd_mode(self) -> AbstractContextManager[Any]:
        """The autograd mode in which the model runs."""
        return torch.no_grad()

    # -- module calls ------------------------------------------------------------------------

    def _call(self, module: nn.Module, forward: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Replaces `module.forward`: run it, or replay the trace of an equal call."""
        with no_function_mode():
            line = self._caller_line()
            tensors = tensors_in((args, kw))
            key = self._key(module, (args, kw), tensors)
            known = self._look_up(key)
            sources = tuple(map(self._source, tensors))
        known = known or self._trace_separately(key, module, forward, args, kw)
        if known is not None:
            with no_function_mode():
                result = self._replay(known, module, tensors)
                places = [self._storage_id(t.untyped_storage()) for t in tensors]
                self._record_module(module, known.trace, sources, places, result, line)
                return result
        del tensors  # a module may free tensors in a list that it receives
        return self._run_in_place(key, module, forward, args, kw, sources, line)

    def _run_in_place(
        self,
        key: Hashable,
        module: nn.Module,
        forward: Callable[..., Any],
        args: Any,
        kw: Any,
        sources: Sources,
        line: int,
    ) -> Any:
        """Run the module as part of its caller."""
        with no_function_mode():
            frame, mark = self._enter(module, tensors_in((args, kw))), self.counter.begin()
        result = self._run(module, forward, args, kw)
        with no_function_mode():
            known = self._cached_trace(frame, result, self.counter.end(mark))
            self.frames.pop()
            self.frames[-1].saved |= frame.saved
            self._store(key, known)
            self._record_module(module, known.trace, sources, frame.input_storage_ids, result, line)
        return result

    def _run(self, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any) -> Any:
        """Run the module's forward, or its rule if it has one."""
        rule = MODULE_RULES.get(type(module).forward)
        if rule is None:
            return forward(*args, **kw)
        with no_function_mode():
            tensors = tensors_in((args, kw))
            if rule_result := rule(module, *tensors):
                return self._apply_rule(rule_result, tensors, module)
        del tensors
        return forward(*args, **kw)

    def _trace_separately(
        self, key: Hashable, module: nn.Module, forward: Callable[..., Any], args: Any, kw: Any
    ) -> CachedTrace | None:
        """The trace of a module run on its own, to be replayed; None if it is run in place."""
        return None

    def _key(self, module: nn.Module, given: Any, tensors: list[Tensor]) -> Hashable:
        """Everything that the call depends on; None if it must be run."""
        facts = self.index.facts.get(module)
        if facts is None or facts.signature is None:
            return None
        places = [memory_of(t) for t in tensors] if len(tensors) > 1 else []
        how = self.training, torch.is_grad_enabled()
        return facts.signature, tree_key(given), tuple(map(places.index, places)), *how

    def _look_up(self, key: Hashable) -> CachedTrace | None:
        try:
            return self.memo.traces.get(key)
        except TypeError:  # an argument that cannot be compared by value
            return None

    def _store(self, key: Hashable, known: CachedTrace) -> None:
        if key is not None and not known.aliased:
            with suppress(TypeError):
                self.memo.traces[key] = known

    def _enter(self, module: nn.Module, tensors: Iterable[Tensor]) -> ActiveCall:
        frame = ActiveCall(module, leaf=_is_leaf(module))
        frame.sources |= {id(t): name for name, t in _own_tensors(module) if t.is_floating_point()}
        for i, tensor in enumerate(tensors):
            frame.sources[id(tensor)] = Source(INPUT, i)
            frame.inputs.append(tuple(tensor.shape))
            memory = tensor.untyped_storage()
            frame.input_storages.append(weakref.ref(memory))
            frame.input_storage_ids.append(self._storage_id(memory))
        self.frames.append(frame)
        return frame

    def _cached_trace(self, frame: ActiveCall, result: Any, found: Counts) -> CachedTrace:
        self._assign_late_saves(frame)
        outputs = tensors_in(result)
        given = [
            0 if (memory := ref()) is None else self._storage_id(memory)
            for ref in frame.input_storages
        ]
        made = [self._storage_id(t.untyped_storage()) for t in outputs]
        inside = {place: size for place, size in frame.saved.items() if place not in given}
        facts = self.index.facts[frame.module]
        trace = Trace(
            kind=type(frame.module).__name__,
            is_module=True,
            inputs=tuple(frame.inputs),
            outputs=tuple(tuple(t.shape) for t in outputs),
            params=facts.params,
            macs=found.macs,
            activation_count=found.activation_count,
            peak_bytes=0 if self.training else found.peak_bytes,
            saved_bytes=sum(inside.values()),
            is_passthrough=all(place in given for place in made),
            settings=frame.module.extra_repr() if frame.leaf else "",
            attributes="" if frame.leaf else _attribute_text(frame.module),
            weights=_named_shapes(frame.module._parameters),
            buffers=_named_shapes(frame.module._buffers),
            owned_params=facts.owned_params,
            frozen_params=facts.frozen_params,
            tied=facts.tied,
            saved_inputs=tuple(frame.saved.get(place, 0) for place in given),
            saved_outputs=tuple(inside.get(place, 0) for place in made),
            external_tensors=tuple(frame.external_tensors.items()),
            cls=type(frame.module),
            window=kernel_window.of_module(frame.module) if frame.leaf else None,
            calls=tuple(frame.calls),
            returns=tuple(frame.sources.get(id(t)) for t in outputs),
        )
        return CachedTrace(
            trace=trace,
            result=map_instances(result, Tensor, storage_reader()),
            saved_inside=sum(size for place, size in inside.items() if place not in made),
            aliased=any(place in given for place in made) or any(map(self._constant, outputs)),
        )

    def _constant(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter or a buffer, or a view of one."""
        base = tensor._base if tensor._is_view() else tensor
        return id(base) in self.index.tensor_names

    def _replay(self, known: CachedTrace, module: nn.Module, tensors: list[Tensor]) -> Any:
        """The outputs of a known call, counted as if it had been run."""
        trace = known.trace
        self.counter.add(trace.macs, trace.activation_count, trace.peak_bytes)
        with no_dispatch_mode():
            result = map_instances(known.result, StoredTensor, tensor_maker())
        self.counter.watch(tensors_in(result))
        return result

    # -- operations between modules ----------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        frame = self.frames[-1]
        if frame.leaf:
            return func(*args, **kwargs)
        mark, saved = self.counter.begin(), set(frame.saved)
        rule = FUNCTION_RULES.get(func)
        rule_result = rule(*args, **kwargs) if rule else None
        inputs = tensors_in((args, kwargs))
        result = self._apply_rule(rule_result, inputs) if rule_result else func(*args, **kwargs)
        found = self.counter.end(mark)
        outputs = tensors_in(result)
        if not outputs:
            return result
        if _moves_only(func, inputs, outputs):
            origin = self._source(inputs[0]) if inputs else None
            frame.sources |= {id(t): origin for t in outputs}
            return result
        given = [self._storage_id(t.untyped_storage()) for t in inputs]
        made = [self._storage_id(t.untyped_storage()) for t in outputs]
        new = {p: size for p, size in frame.saved.items() if p not in saved and p not in given}
        trace = Trace(
            kind=func.__name__.strip("_"),
            is_module=False,
            inputs=tuple(tuple(t.shape) for t in inputs),
            outputs=tuple(tuple(t.shape) for t in outputs),
            macs=found.macs,
            activation_count=found.activation_count,
            peak_bytes=0 if self.training else found.peak_bytes,
            saved_bytes=sum(new.values()),
            saved_inputs=tuple(frame.saved.get(place, 0) for place in given),
            saved_outputs=tuple(new.get(place, 0) for place in made),
            settings=_argument_text(kwargs),
            window=kernel_window.of_function(func, args, kwargs),
        )
        sources = tuple(map(self._source, inputs))
        call = Call(
            trace.kind, trace, sources, self._caller_line(), False, *self._new_saves(frame, given)
        )
        self._record(call, outputs)
        return result

    # -- records -----------------------------------------------------------------------------

    def _apply_rule(
        self, rule_result: RuleResult, inputs: list[Tensor], module: nn.Module | None = None
    ) -> Any:
        self.counter.add(rule_result.macs, rule_result.activation_count)
        return rule_result.outputs

    def _storage_id(self, memory: UntypedStorage) -> int:
        """A number for a storage, above 0."""
        return storage_id(memory)

    def _source(self, tensor: Tensor) -> Source | str | None:
        frame = self.frames[-1]
        source = frame.sources.get(id(tensor))
        known = self.index.tensor_names.get(id(tensor)) if tensor.is_floating_point() else None
        if source is None and (source := known):
            frame.external_tensors[source] = tuple(tensor.shape)
        return source

    def _caller_line(self) -> int:
        """The line that the calling `forward` is executing."""
        code = getattr(type(self.frames[-1].module).forward, "__code__", None)
        here = sys._getframe(2)
        for _ in range(MAX_FRAMES):
            if here.f_code is code:
                return here.f_lineno
            if here.f_back is None:
                break
            here = here.f_back
        return 0

    def _new_saves(self, frame: ActiveCall, places: list[int]) -> tuple[int, tuple[FirstSave, ...]]:
        """What was saved since the last call, in training: see `Call`."""
        return 0, ()

    def _assign_late_saves(self, frame: ActiveCall) -> None:
        """Assign what was saved after the last call to it."""
        if frame.calls:
            call, (saved, first) = frame.calls[-1], self._new_saves(frame, [])
            frame.calls[-1] = call._replace(
                saved_bytes=call.saved_bytes + saved, first_saves=(*call.first_saves, *first)
            )

    def _record(self, call: Call, outputs: Iterable[Tensor]) -> None:
        frame = self.frames[-1]
        number = len(frame.calls)
        frame.calls.append(call)
        frame.sources |= {id(t): Source(number, i) for i, t in enumerate(outputs)}

    def _record_module(
        self,
        module: nn.Module,
        trace: Trace,
        sources: Sources,
        places: list[int],
        result: Any,
        line: int,
    ) -> None:
        """Record a module call, named by its path within the calling module."""
        caller, path = self.index.names.get(self.frames[-1].module, ""), self.index.names[module]
        inside = f"{caller}." if caller else ""
        elsewhere = not path.startswith(inside)
        name = path.removeprefix(inside)
        new = self._new_saves(self.frames[-1], places)
        self._record(Call(name, trace, sources, line, elsewhere, *new), tensors_in(result))


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The module's own parameters and buffers."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield name, tensor


def _named_shapes(tensors: Mapping[str, Tensor | None]) -> NamedShapes:
    return tuple((name, tuple(t.shape)) for name, t in tensors.items() if t is not None)


def _is_leaf(module: nn.Module) -> bool:
    """Whether a module is a torch layer, whose inner operations are not recorded."""
    return not module._modules and type(module).forward.__module__.startswith("torch.nn")


def _argument_text(kwargs: Mapping[str, Any]) -> str:
    """The arguments of an operation that define what it computes, as name=value."""
    return ", ".join(f"{name}={kwargs[name]}" for name in SHOWN_ARGUMENTS if kwargs.get(name))


def _attribute_text(module: nn.Module) -> str:
    """Plain constructor arguments stored on the module (int, float, str, tuple), as name=value."""
    own = ((name, value) for name, value in vars(module).items() if not name.startswith("_"))
    plain = (f"{name}={value!r}" for name, value in own if _is_plain(value) and name != "training")
    return module.extra_repr() or ", ".join(plain)


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (int, float, str))


def _moves_only(func: Callable[..., Any], inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether an operation computes nothing: views, indexing, casts and constants."""
    places = {memory_of(t) for t in inputs}
    in_place = all(memory_of(t) in places for t in outputs)
    return not inputs or in_place or func.__name__.strip("_") in DATA_MOVES
