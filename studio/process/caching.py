"""Caches of pure functions, bounded by the memory of what they hold.

A count is no bound where one design's graph takes 30 kB and another's 3 MB: a server that is open
all day would grow with what its readers happen to look at.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from enum import Enum
from threading import RLock
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from cachetools import LRUCache, cached
from torch import nn

from studio.family import Family

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

# Alive anyway, whether an entry refers to them or not.
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Enum, Family, nn.Module)
ENTRY_BYTES = 2000  # the arguments of a call and the entry itself, about


class Cached(Protocol[P, R_co]):
    """A function with a cache, as `functools.lru_cache` makes one."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    def cache_clear(self) -> None: ...

    def cache_info(self) -> Any: ...


def size_bytes(value: object) -> int:
    """The memory that a value keeps alive: itself and all it refers to, each object once, without
    classes, functions and families. Takes about 0.6 microseconds an object."""
    seen: set[int] = set()
    total, found = 0, [value]
    while found:
        new = []
        for one in found:
            if id(one) not in seen and not isinstance(one, SHARED):
                seen.add(id(one))
                total += sys.getsizeof(one)
                new.append(one)
        found = gc.get_referents(*new)
    return total


def bounded(
    megabytes: float, size: Callable[[Any], float] = size_bytes
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Cache a pure function of hashable arguments; the results used last stay, up to so many MB.

    `size` is how many bytes a result takes; results that are computed faster than they are walked
    through need a quicker estimate than `size_bytes`. Two threads may compute one result at the
    same time. A result that is larger than the bound is returned and not cached.
    """

    def with_cache(function: Callable[P, R]) -> Cached[P, R]:
        return cast(Cached[P, R], cached(lru(megabytes, size), lock=RLock(), info=True)(function))

    return with_cache


def lru(megabytes: float, size: Callable[[Any], float] = size_bytes) -> LRUCache[Any, Any]:
    """A mapping that forgets what was used longest ago; a thread at a time."""
    return LRUCache(megabytes * 1e6, getsizeof=lambda value: ENTRY_BYTES + size(value))
