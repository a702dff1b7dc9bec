"""Equal modules of a model are built once: from the third one on, they are copies.

A constructor of the zoo is a function of its arguments, so two modules of one class with equal
plain arguments are equal. Copies share nothing: each has parameters of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import wraps
from types import NoneType
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from studio.analysis.torch_private import no_function_mode

ARGUMENTS = (int, float, str, bool, NoneType, type)  # compared by value
IMMUTABLE = frozenset({*ARGUMENTS, torch.dtype, torch.device, torch.Size})
CONTAINERS = frozenset({dict, OrderedDict, list, set})
Build = Callable[..., None]


class Prototypes:
    """The modules of one model that were built more than once, as copies that nobody changes.

    `temporary` is an attribute that modules have only while the model is built.
    """

    def __init__(self, temporary: str) -> None:
        self._temporary = temporary
        self._met: set[Hashable] = set()
        self._known: dict[Hashable, nn.Module] = {}

    def initialise(self, module: nn.Module, build: Build, args: Any, kwargs: Any) -> None:
        """Call the constructor of a new module, or copy a prototype into it."""
        key = _key(type(module), args, kwargs)
        if (prototype := self._known.get(key)) is not None:
            vars(module).update(vars(self._copied(prototype)))
            return
        build(module, *args, **kwargs)
        if key in self._met:
            try:
                self._known[key] = self._copied(module)
            except NotImplementedError:
                self._met.discard(key)
        elif key is not None:
            self._met.add(key)

    def _copied(self, module: nn.Module) -> nn.Module:
        with no_function_mode():
            return self._copy_module(module, {})

    def _copy_module(self, module: nn.Module, made: dict[int, Any]) -> nn.Module:
        found = made[id(module)] = object.__new__(type(module))
        own = vars(found)
        for name, value in vars(module).items():
            kind = type(value)
            if kind in IMMUTABLE:
                own[name] = value
            elif kind in CONTAINERS and not value:  # most of a module's attributes are such
                own[name] = kind()
            elif name != self._temporary:
                own[name] = self._copy(value, made)
        return found

    def _copy(self, value: Any, made: dict[int, Any]) -> Any:
        """A deep copy. `made` are the copies so far. Raises NotImplementedError for other values
        than modules usually have."""
        kind = type(value)
        if kind in IMMUTABLE:
            return value
        if kind in (dict, OrderedDict):
            return kind([(name, self._copy(part, made)) for name, part in value.items()])
        if kind in (tuple, list, set):
            return kind([self._copy(part, made) for part in value])
        if id(value) not in made:
            is_module = isinstance(value, nn.Module)
            made[id(value)] = self._copy_module(value, made) if is_module else _copy_tensor(value)
        return made[id(value)]


def let_copy(package: str, prototypes: Callable[[], Prototypes | None]) -> None:
    """Have the modules of a package built by `prototypes()`, whenever there are any."""
    for cls in tuple(_subclasses(nn.Module)):
        build = vars(cls).get("__init__")
        if cls.__module__.startswith(package) and build is not None and cls not in _copying:
            _copying.add(cls)
            setattr(cls, "__init__", _by_prototype(cls, build, prototypes))  # noqa: B010


_copying: WeakSet[type[nn.Module]] = WeakSet()


def _by_prototype(
    cls: type[nn.Module], build: Build, prototypes: Callable[[], Prototypes | None]
) -> Build:
    @wraps(build)
    def initialise(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        known = prototypes()
        if known is None or type(module) is not cls:  # called by a subclass
            build(module, *args, **kwargs)
        else:
            known.initialise(module, build, args, kwargs)

    return initialise


def _subclasses(cls: type[nn.Module]) -> Iterator[type[nn.Module]]:
    for found in cls.__subclasses__():
        yield found
        yield from _subclasses(found)


def _key(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    """Everything that a constructor is given; None if it cannot be compared by value."""
    given = (*args, *kwargs.values())
    if not all(isinstance(value, ARGUMENTS) for value in given):
        return None
    return cls, given, tuple(kwargs), tuple(map(type, given))  # 1 and True are equal


def _copy_tensor(value: Any) -> Tensor:
    if type(value) not in (Tensor, nn.Parameter) or not value.is_meta or vars(value):
        raise NotImplementedError
    found = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return nn.Parameter(found, value.requires_grad) if type(value) is nn.Parameter else found
