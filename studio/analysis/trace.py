"""Trace: run a model once on meta, and keep what happened as a tree.

Every module call, and every operation between modules, is a `Call` of a `Body`. A body is traced
once: equal modules on equal inputs share it (`studio.analysis.survey`), so a trace does not take
longer for a deeper model, and "block × 12" is one body that is called twelve times.

Multiply-accumulates (MACs) are torch's own formulas (`torch.utils.flop_counter`, halved):
convolutions and matrix products, no biases, norms or activations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from studio.analysis import window
from studio.analysis.body import INPUT, Body, Call, Named, Shape, Source
from studio.analysis.meter import Meter, storage
from studio.analysis.nesting import Layout, frozen, mapped, tensors_in
from studio.analysis.ruled import Ruled
from studio.analysis.rules import FUNCTION_RULES, MODULE_RULES
from studio.analysis.survey import Numbers, survey

unseen = torch._C.DisableTorchFunction  # while the tracer itself looks at tensors
unmetered = torch._C._DisableTorchDispatch  # ... and makes some
REACH = 12  # how many calls of functions lie between a module's forward and the tracer
# Operations that move or copy data and compute nothing: not worth a box of their own.
PLUMBING = frozenset({"reshape", "contiguous", "clone", "to", "float", "type_as", "detach"})


@dataclass(frozen=True, slots=True)
class Known:
    """A traced body with what it takes to stand in for another run of its module."""

    body: Body
    result: Any  # what the call returned, a Layout in the place of each tensor
    saved_inside: int
    aliased: bool  # an output is an input or a parameter: the call must be run again


@dataclass
class Frame:
    """What is being recorded inside one module call. A leaf's inner operations are not recorded."""

    module: nn.Module
    leaf: bool
    calls: list[Call] = field(default_factory=list)
    sources: dict[int, Source | str | None] = field(default_factory=dict)
    saved: dict[int, int] = field(default_factory=dict)  # storage -> bytes
    borrowed: dict[str, Shape] = field(default_factory=dict)  # tensors of other modules, in use


class Memo:
    """Everything traced so far, kept between traces; starts afresh when it has grown large.

    One trace at a time uses it, whichever thread it runs in.
    """

    LIMIT = 20_000

    def __init__(self) -> None:
        self.lock = RLock()
        self.clear()

    def clear(self) -> None:
        self.numbers: Numbers = {}
        self.traced: dict[Hashable, Known] = {}

    def renew(self) -> None:
        if len(self.numbers) + len(self.traced) > self.LIMIT:
            self.clear()


MEMO = Memo()


def trace(model: nn.Module, inputs: tuple[Tensor, ...], memo: Memo | None = None) -> Body:
    """Run `model(*inputs)`, both on meta, and return what happened.

    In evaluation mode the trace knows what is alive at once, in training mode what is saved for the
    backward pass. Equal bodies are kept in `memo` from one trace to the next (by default in one
    for the process). The model must not change tensors in place.
    """
    memo = MEMO if memo is None else memo
    with memo.lock:
        memo.renew()
        tracer = Tracer(model, memo)
        with tracer.recording():
            model(*inputs)
    return tracer.outermost.calls[0].body


def _never(saved: None) -> Tensor:
    """Nobody goes back through a trace: a tensor that the graph had in its own memory would hold
    the graph, and never be freed."""
    raise AssertionError("a trace has no backward pass")


class Tracer(TorchFunctionMode):
    """Sees every module call (it stands in for `forward`) and every torch function between."""

    def __init__(self, model: nn.Module, memo: Memo) -> None:
        super().__init__()
        self.memo, self.training = memo, model.training
        self.survey = survey(model, memo.numbers)
        constants = (*model.parameters(), *model.buffers()) if self.training else ()
        self.constants = {storage(t) for t in constants}  # they are not saved: they are there
        self.meter = Meter(watch_memory=not model.training)
        self.outermost = Frame(nn.Module(), leaf=False)
        self.frames = [self.outermost]
        self.kept: list[Tensor] = []  # alive to the end, so that no two storages share a place

    @contextmanager
    def recording(self) -> Iterator[None]:
        for module in self.survey.names:
            vars(module)["forward"] = partial(self._call, module, module.forward)
        try:
            with ExitStack() as modes:
                if self.training:
                    modes.enter_context(saved_tensors_hooks(self._save, _never))
                else:
                    modes.enter_context(torch.no_grad())
                modes.enter_context(self.meter)
                modes.enter_context(self)
                yield
        finally:
            # The graph of gradients holds this tracer, by its hooks, and is held by these tensors:
            # a ring through torch's own memory, where Python's collector does not look.
            self.kept.clear()
            for module in self.survey.names:
                del vars(module)["forward"]

    # -- module calls ------------------------------------------------------------------------

    def _call(self, module: nn.Module, forward: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Stands in for `module.forward`: run it, or replay the trace of an equal call."""
        with unseen():
            given = (args, kw) if kw else args
            tensors = list(tensors_in(given))
            key = self._key(module, given, tensors)
            known = self._look_up(key)
            if known is not None:
                result = self._replay(known, tensors)
                self._note(module, known.body, tensors, result, self._line())
                return result
            line = self._line()
            frame, mark = self._enter(module, tensors), self.meter.begin()
        rule = MODULE_RULES.get(type(module).forward)
        ruled = rule(module, *tensors) if rule else None
        result = self._apply(ruled) if ruled else forward(*args, **kw)
        with unseen():
            known = self._known(frame, tensors, result, *self.meter.end(mark))
            self.frames.pop()
            self.frames[-1].saved |= frame.saved
            self._remember(key, known)
            self._note(module, known.body, tensors, result, line)
        return result

    def _key(self, module: nn.Module, given: Any, tensors: list[Tensor]) -> Hashable:
        """All that the call depends on; None where it must be run."""
        signature = self.survey.signatures.get(module)
        if signature is None:
            return None
        places = [storage(t) for t in tensors]
        return signature, frozen(given), tuple(map(places.index, places)), self.training

    def _look_up(self, key: Hashable) -> Known | None:
        try:
            return self.memo.traced.get(key)
        except TypeError:  # an argument that cannot be compared by value
            return None

    def _remember(self, key: Hashable, known: Known) -> None:
        if key is not None and not known.aliased:
            with suppress(TypeError):
                self.memo.traced[key] = known

    def _enter(self, module: nn.Module, tensors: list[Tensor]) -> Frame:
        frame = Frame(module, leaf=_is_leaf(module))
        frame.sources |= {id(t): name for name, t in _own(module) if t.is_floating_point()}
        frame.sources |= {id(t): Source(INPUT, i) for i, t in enumerate(tensors)}
        self.frames.append(frame)
        return frame

    def _known(
        self, frame: Frame, tensors: list[Tensor], result: Any, macs: int, peak: int
    ) -> Known:
        outputs = list(tensors_in(result))
        given, made = [storage(t) for t in tensors], [storage(t) for t in outputs]
        inside = {place: size for place, size in frame.saved.items() if place not in given}
        body = Body(
            kind=type(frame.module).__name__,
            is_module=True,
            inputs=tuple(tuple(t.shape) for t in tensors),
            outputs=tuple(tuple(t.shape) for t in outputs),
            params=self.survey.params[frame.module],
            macs=macs,
            peak_bytes=peak,
            saved_bytes=sum(inside.values()),
            transparent=all(place in given for place in made),
            settings=frame.module.extra_repr() if frame.leaf else "",
            held="" if frame.leaf else _held(frame.module),
            weights=_shapes(frame.module._parameters),
            buffers=_shapes(frame.module._buffers),
            owned=self.survey.owned[frame.module],
            frozen=self.survey.frozen[frame.module],
            tied=tuple(self.survey.tied[frame.module].items()),
            saved_inputs=tuple(frame.saved.get(place, 0) for place in given),
            saved_outputs=tuple(inside.get(place, 0) for place in made),
            borrowed=tuple(frame.borrowed.items()),
            cls=type(frame.module),
            window=window.of_module(frame.module) if frame.leaf else None,
            calls=tuple(frame.calls),
            returns=tuple(frame.sources.get(id(t)) for t in outputs),
        )
        return Known(
            body=body,
            result=mapped(result, Tensor, Layout.of),
            saved_inside=sum(size for place, size in inside.items() if place not in made),
            aliased=any(place in given for place in made) or any(map(self._constant, outputs)),
        )

    def _constant(self, tensor: Tensor) -> bool:
        """A parameter or a buffer, or a view of one."""
        base = tensor._base if tensor._is_view() else tensor
        return id(base) in self.survey.tensors

    def _replay(self, known: Known, tensors: list[Tensor]) -> Any:
        """The outputs of a call that need not run, entered in the books as if it had."""
        self.meter.add(known.body.macs, known.body.peak_bytes)
        with unmetered():
            result = mapped(known.result, Layout, Layout.empty)
        outputs = list(tensors_in(result))
        self.meter.watch(outputs)
        sizes = (*known.body.saved_inputs, *known.body.saved_outputs)
        for tensor, size in zip((*tensors, *outputs), sizes, strict=True):
            if size:
                self._save(tensor)
        self._save_bytes(known.saved_inside)
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
        mark, saved = self.meter.begin(), set(frame.saved)
        rule = FUNCTION_RULES.get(func)
        ruled = rule(*args, **kwargs) if rule else None
        result = self._apply(ruled) if ruled else func(*args, **kwargs)
        macs, peak = self.meter.end(mark)
        outputs = list(tensors_in(result))
        if not outputs:
            return result
        inputs = list(tensors_in((args, kwargs)))
        if _moves_only(func, inputs, outputs):
            origin = self._source(inputs[0]) if inputs else None
            frame.sources |= {id(t): origin for t in outputs}
            return result
        given, made = [storage(t) for t in inputs], [storage(t) for t in outputs]
        new = {p: size for p, size in frame.saved.items() if p not in saved and p not in given}
        body = Body(
            kind=func.__name__.strip("_"),
            is_module=False,
            inputs=tuple(tuple(t.shape) for t in inputs),
            outputs=tuple(tuple(t.shape) for t in outputs),
            macs=macs,
            peak_bytes=peak,
            saved_bytes=sum(new.values()),
            saved_inputs=tuple(frame.saved.get(place, 0) for place in given),
            saved_outputs=tuple(new.get(place, 0) for place in made),
            settings=f"mode={kwargs['mode']}" if kwargs.get("mode") else "",
            window=window.of_function(func, args, kwargs),
        )
        self._record(body.kind, body, inputs, outputs, self._line(), elsewhere=False)
        return result

    # -- the books ---------------------------------------------------------------------------

    def _apply(self, ruled: Ruled) -> Any:
        self.meter.add(ruled.macs, 0)
        for tensor in ruled.kept:
            self._save(tensor)
        self._save_bytes(ruled.kept_bytes)
        return ruled.outputs

    def _save(self, tensor: Tensor) -> None:
        """Note that a tensor is kept for the backward pass (parameters are there anyway)."""
        place = storage(tensor)
        if self.training and place not in self.constants:
            self.kept.append(tensor)
            self.frames[-1].saved.setdefault(place, tensor.untyped_storage().nbytes())

    def _save_bytes(self, size: int) -> None:
        if self.training and size:
            token = torch.empty(0, device="meta")
            self.kept.append(token)
            self.frames[-1].saved[storage(token)] = size

    def _source(self, tensor: Tensor) -> Source | str | None:
        frame = self.frames[-1]
        source = frame.sources.get(id(tensor))
        known = self.survey.tensors.get(id(tensor)) if tensor.is_floating_point() else None
        if source is None and (source := known):
            frame.borrowed[source] = tuple(tensor.shape)
        return source

    def _line(self) -> int:
        """Where the `forward` that makes the present call is at this moment."""
        code = getattr(type(self.frames[-1].module).forward, "__code__", None)
        here = sys._getframe(2)
        for _ in range(REACH):
            if here.f_code is code:
                return here.f_lineno
            if here.f_back is None:
                break
            here = here.f_back
        return 0

    def _record(
        self,
        name: str,
        body: Body,
        inputs: Iterable[Tensor],
        outputs: Iterable[Tensor],
        line: int,
        elsewhere: bool,
    ) -> None:
        frame = self.frames[-1]
        number = len(frame.calls)
        sources = tuple(map(self._source, inputs))
        frame.calls.append(Call(name, body, sources, line, elsewhere))
        frame.sources |= {id(t): Source(number, i) for i, t in enumerate(outputs)}

    def _note(
        self, module: nn.Module, body: Body, tensors: list[Tensor], result: Any, line: int
    ) -> None:
        """Record the call of a module, by its path within the module that calls it."""
        caller, path = self.survey.names.get(self.frames[-1].module, ""), self.survey.names[module]
        inside = f"{caller}." if caller else ""
        elsewhere = not path.startswith(inside)
        name = path.removeprefix(inside)
        self._record(name, body, tensors, tensors_in(result), line, elsewhere)


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of the module itself."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield name, tensor


def _shapes(tensors: Mapping[str, Tensor | None]) -> Named:
    return tuple((name, tuple(t.shape)) for name, t in tensors.items() if t is not None)


def _is_leaf(module: nn.Module) -> bool:
    """A layer of torch's own, whose inner operations are nobody's business."""
    return not module._modules and type(module).forward.__module__.startswith("torch.nn")


def _held(module: nn.Module) -> str:
    """What a module holds of its arguments, as far as these are plain values."""
    own = ((name, value) for name, value in vars(module).items() if not name.startswith("_"))
    plain = (f"{name}={value!r}" for name, value in own if _is_plain(value) and name != "training")
    return module.extra_repr() or ", ".join(plain)


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (int, float, str))


def _moves_only(func: Callable[..., Any], inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Views, indexing, casts and constants: no computation, so no box."""
    places = {storage(t) for t in inputs}
    in_place = all(storage(t) in places for t in outputs)
    return not inputs or in_place or func.__name__.strip("_") in PLUMBING
