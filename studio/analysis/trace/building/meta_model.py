"""Build a model on the meta device: the real module, with shapes and without memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from studio.analysis.torch_private import no_function_mode
from studio.analysis.trace.building.module_copies import Prototypes, let_copy
from studio.analysis.trace.rules.pointwise import POINTWISE_RULES
from studio.family import Design

INITIALISERS = {
    *(f for name, f in vars(nn.init).items() if callable(f) and name.endswith("_")),
    *(getattr(Tensor, name) for name in ("uniform_", "normal_", "fill_", "zero_", "copy_")),
}
FACTORIES = {torch.empty, torch.zeros, torch.ones}
RANDOM_FACTORIES = {
    torch.randn: torch.float32,
    torch.rand: torch.float32,
    torch.randint: torch.int64,
}


class SkipValuesMode(TorchFunctionMode):
    """Skips functions that only set values: the meta device has none, and torch is slow to draw
    them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        if func in FACTORIES:  # each parameter is made by one, without the way through other modes
            with no_function_mode():
                return func(*args, **kwargs | {"device": kwargs.get("device") or "meta"})
        if func in RANDOM_FACTORIES:
            return torch.empty(
                _size(args, kwargs), dtype=kwargs.get("dtype", RANDOM_FACTORIES[func])
            )
        rule = POINTWISE_RULES.get(func)
        rule_result = rule(*args, **kwargs) if rule else None
        return rule_result.outputs if rule_result else func(*args, **kwargs)


class _Building(local):
    """The torch layers of the model that this thread is building, and what can be copied."""

    layers: list[nn.Module] | None = None
    prototypes: Prototypes | None = None


_building = _Building()


def _disable_reset(module: nn.Module, _: str, __: Any) -> None:
    """Disable `reset_parameters()` on torch layers while building; it would double the
    build time."""
    own = vars(module)
    if _building.layers is not None and "reset_parameters" not in own and _resets(type(module)):
        own["reset_parameters"] = _skip_reset
        _building.layers.append(module)


def _resets(layer: type) -> bool:
    """Whether a layer initialises itself as torch's own layers do."""
    resets = getattr(layer, "reset_parameters", None)
    return getattr(resets, "__module__", "").startswith("torch.nn.")


def _skip_reset() -> None:
    """No-op in place of `reset_parameters`."""


@cache
def _install_reset_hook() -> None:
    """Register the hook, once for the process: it does nothing in threads that build no model, and
    torch has no hooks that come and go safely while other threads build."""
    register_module_parameter_registration_hook(_disable_reset)


@cache
def _install_copies(_: object) -> None:
    """Have equal modules copied: of all classes that there are with a family."""
    let_copy("studio.", lambda: _building.prototypes)


@contextmanager
def meta_construction() -> Iterator[None]:
    """Modules built by this thread within are on the meta device and are not initialised."""
    _install_reset_hook()
    layers = _building.layers = []
    _building.prototypes = Prototypes(temporary="reset_parameters")
    try:
        with torch.device("meta"), SkipValuesMode():
            yield
    finally:
        _building.layers = _building.prototypes = None
        for layer in layers:
            del vars(layer)["reset_parameters"]


def build_on_meta(design: Design) -> nn.Module:
    """The design's module on the meta device, in evaluation mode. Takes milliseconds and no
    memory."""
    _install_copies(design.family.model)
    with meta_construction():
        return design.family.model(design.config).eval()


def example_on_meta(design: Design, batch: int) -> tuple[Tensor, ...]:
    """The design's example inputs on the meta device."""
    with torch.device("meta"), SkipValuesMode():
        return design.family.example(design.config, batch)


def _size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    """The size given to randn(2, 3), randn((2, 3)) or randint(9, (2, 3)), or by keyword."""
    given = kwargs.get("size", next((a for a in args if isinstance(a, (tuple, list))), args))
    return tuple(given)
