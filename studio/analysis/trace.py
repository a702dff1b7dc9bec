"""Trace: run a model once on meta, and keep what happened as a tree.

Every module call, and every operation between modules, is a `Call` of a `Body`. A body is traced
once: equal modules on equal inputs share it (`studio.analysis.survey`), so a trace does not take
longer for a deeper model, and "block × 12" is one body that is called twelve times.

Multiply-accumulates (MACs) are torch's own formulas (`torch.utils.flop_counter`, halved):
convolutions and matrix products, no biases, norms or activations.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from studio.analysis.body import INPUT, Body, Call, Shape, Source
from studio.analysis.meter import Meter, storage
from studio.analysis.ruled import Ruled
from studio.analysis.rules import FUNCTION_RULES, MODULE_RULES
from studio.analysis.survey import Numbers, survey

unseen = torch._C.DisableTorchFunction  # while the tracer itself looks at tensors
unmetered = torch._C._DisableTorchDispatch  # ... and makes some
# Operations that move or copy data and compute nothing: not worth a box of their own.
PLUMBING = frozenset({"reshape", "contiguous", "clone", "to", "float", "type_as", "detach"})


class Layout(NamedTuple):
    """All of a tensor that matters on meta, and how to make another like it."""

    shape: Shape
    stride: tuple[int, ...]
    dtype: torch.dtype
    requires_grad: bool

    @classmethod
    def of(cls, tensor: Tensor) -> Layout:
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.requires_grad)

    def empty(self) -> Tensor:
        made = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")
        return made.requires_grad_() if self.requires_grad else made


@dataclass(frozen=True, slots=True)
class Known:
    """A traced body with what it takes to stand in for another run of its module."""

    body: Body
    result: Any  # what the call returned, a Layout in the place of each tensor
    saved_inputs: tuple[int, ...]
    saved_outputs: tuple[int, ...]
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
                    modes.enter_context(saved_tensors_hooks(self._save, lambda tensor: tensor))
                else:
                    modes.enter_context(torch.no_grad())
                modes.enter_context(self.meter)
                modes.enter_context(self)
                yield
        finally:
            for module in self.survey.names:
                del vars(module)["forward"]

    # -- module calls ------------------------------------------------------------------------

    def _call(self, module: nn.Module, forward: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Stands in for `module.forward`: run it, or replay the trace of an equal call."""
        with unseen():
            given = (args, kw) if kw else args
            tensors = list(_tensors(given))
            key = self._key(module, given, tensors)
            known = self._look_up(key)
            if known is not None:
                result = self._replay(known, tensors)
                self._record(self._name(module), known.body, tensors, _tensors(result))
                return result
            frame, mark = self._enter(module, tensors), self.meter.begin()
        rule = MODULE_RULES.get(type(module).forward)
        ruled = rule(module, *tensors) if rule else None
        result = self._apply(ruled) if ruled else forward(*args, **kw)
        with unseen():
            known = self._known(frame, tensors, result, *self.meter.end(mark))
            self.frames.pop()
            self.frames[-1].saved |= frame.saved
            self._remember(key, known)
            self._record(self._name(module), known.body, tensors, _tensors(result))
        return result

    def _key(self, module: nn.Module, given: Any, tensors: list[Tensor]) -> Hashable:
        """All that the call depends on; None where it must be run."""
        signature = self.survey.signatures.get(module)
        if signature is None:
            return None
        places = [storage(t) for t in tensors]
        return signature, _frozen(given), tuple(map(places.index, places)), self.training

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
        frame.sources |= {id(t): name for name, t in _own(module)}
        frame.sources |= {id(t): Source(INPUT, i) for i, t in enumerate(tensors)}
        self.frames.append(frame)
        return frame

    def _known(
        self, frame: Frame, tensors: list[Tensor], result: Any, macs: int, peak: int
    ) -> Known:
        outputs = list(_tensors(result))
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
            tensors=tuple((name, tuple(t.shape)) for name, t in _own(frame.module)),
            calls=tuple(frame.calls),
            returns=tuple(frame.sources.get(id(t)) for t in outputs),
        )
        return Known(
            body=body,
            result=_mapped(result, Tensor, Layout.of),
            saved_inputs=tuple(i for i, place in enumerate(given) if place in frame.saved),
            saved_outputs=tuple(i for i, place in enumerate(made) if place in inside),
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
            result = _mapped(known.result, Layout, Layout.empty)
        outputs = list(_tensors(result))
        self.meter.watch(outputs)
        for i in known.saved_inputs:
            self._save(tensors[i])
        for i in known.saved_outputs:
            self._save(outputs[i])
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
        mark, saved = self.meter.begin(), len(frame.saved)
        rule = FUNCTION_RULES.get(func)
        ruled = rule(*args, **kwargs) if rule else None
        result = self._apply(ruled) if ruled else func(*args, **kwargs)
        macs, peak = self.meter.end(mark)
        outputs = list(_tensors(result))
        if not outputs:
            return result
        inputs = list(_tensors((args, kwargs)))
        if _moves_only(func, inputs, outputs):
            origin = self._source(inputs[0]) if inputs else None
            frame.sources |= {id(t): origin for t in outputs}
            return result
        body = Body(
            kind=func.__name__.strip("_"),
            is_module=False,
            inputs=tuple(tuple(t.shape) for t in inputs),
            outputs=tuple(tuple(t.shape) for t in outputs),
            macs=macs,
            peak_bytes=peak,
            saved_bytes=sum(list(frame.saved.values())[saved:]),
        )
        self._record(body.kind, body, inputs, outputs)
        return result

    # -- the books ---------------------------------------------------------------------------

    def _apply(self, ruled: Ruled) -> Any:
        self.meter.add(ruled.macs, 0)
        for tensor in ruled.kept:
            self._save(tensor)
        self._save_bytes(ruled.kept_bytes)
        return ruled.outputs

    def _save(self, tensor: Tensor) -> Tensor:
        """Note that a tensor is kept for the backward pass (parameters are there anyway)."""
        place = storage(tensor)
        if self.training and place not in self.constants:
            self.kept.append(tensor)
            self.frames[-1].saved.setdefault(place, tensor.untyped_storage().nbytes())
        return tensor

    def _save_bytes(self, size: int) -> None:
        if self.training and size:
            token = torch.empty(0, device="meta")
            self.kept.append(token)
            self.frames[-1].saved[storage(token)] = size

    def _source(self, tensor: Tensor) -> Source | str | None:
        return self.frames[-1].sources.get(id(tensor)) or self.survey.tensors.get(id(tensor))

    def _record(
        self, name: str, body: Body, inputs: Iterable[Tensor], outputs: Iterable[Tensor]
    ) -> None:
        frame = self.frames[-1]
        number = len(frame.calls)
        frame.calls.append(Call(name, body, tuple(map(self._source, inputs))))
        frame.sources |= {id(t): Source(number, i) for i, t in enumerate(outputs)}

    def _name(self, module: nn.Module) -> str:
        """The module's path within the module that calls it."""
        inside = self.survey.names.get(self.frames[-1].module, "")
        return self.survey.names[module].removeprefix(f"{inside}." if inside else "")


def _tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dictionaries, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            yield from _tensors(part)
    elif isinstance(tree, dict):
        yield from _tensors(tuple(tree.values()))


def _mapped(tree: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """The same nesting with every `kind` in it changed."""
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        parts = [_mapped(part, kind, change) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if isinstance(tree, dict):
        return {name: _mapped(part, kind, change) for name, part in tree.items()}
    return tree


def _frozen(tree: Any) -> Hashable:
    """The same nesting as a key: tensors by what matters of them, the rest by value."""
    if isinstance(tree, Tensor):
        return Layout.of(tree)
    if isinstance(tree, (tuple, list)):
        return tuple(map(_frozen, tree))
    if isinstance(tree, dict):
        return tuple((name, _frozen(part)) for name, part in tree.items())
    return tree  # type: ignore[no-any-return]


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of the module itself."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield name, tensor


def _is_leaf(module: nn.Module) -> bool:
    """A layer of torch's own, whose inner operations are nobody's business."""
    return not module._modules and type(module).forward.__module__.startswith("torch.nn")


def _moves_only(func: Callable[..., Any], inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Views, indexing, casts and constants: no computation, so no box."""
    places = {storage(t) for t in inputs}
    in_place = all(storage(t) in places for t in outputs)
    return not inputs or in_place or func.__name__.strip("_") in PLUMBING
