"""Caches of pure functions, bounded by the memory of their values.

A bound on the count would not do if one design's graph takes 30 kB and another's 3 MB: the memory
of a server that runs all day would depend on what its users look at.
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

# Alive in any case, whether an entry refers to them or not.
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Enum, Family, nn.Module)
ENTRY_BYTES = 2000  # about, for the arguments of a call and the entry itself


class Cached(Protocol[P, R_co]):
    """A function with a cache, as `functools.lru_cache` makes one."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    def cache_clear(self) -> None: ...

    def cache_info(self) -> Any: ...


def size_bytes(value: object) -> int:
    """The memory that a value keeps alive: itself and everything it refers to, each object once,
    without classes, functions and families. Takes about 0.6 µs per object."""
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
    """Cache a pure function of hashable arguments: the most recently used results, up to
    `megabytes`.

    `size` returns the bytes of a result; results that are computed faster than they are traversed
    need a quicker estimate than `size_bytes`. Two threads may compute a result at the same time. A
    result larger than the bound is returned and not cached.
    """

    def with_cache(function: Callable[P, R]) -> Cached[P, R]:
        return cast(Cached[P, R], cached(lru(megabytes, size), lock=RLock(), info=True)(function))

    return with_cache


def lru(megabytes: float, size: Callable[[Any], float] = size_bytes) -> LRUCache[Any, Any]:
    """A mapping that drops the least recently used entries; not thread-safe."""
    return LRUCache(megabytes * 1e6, getsizeof=lambda value: ENTRY_BYTES + size(value))
