"""Where measurements run: on this machine, or on an existing cluster.

A backend is like an executor of concurrent.futures, but a call has a time limit, and `cancel` stops
a running call. By default it is the worker process of this machine; if the environment variable
STUDIO_SCHEDULER names a Dask scheduler (`tcp://host:port`), calls go there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from studio.process import device as local
from studio.process.device import resolve_device
from studio.process.platform import SCHEDULER_VARIABLE, Platform, local_platform
from studio.process.worker import LIMIT_S, worker

T = TypeVar("T")


class CallExecutor(Protocol):
    """Calls functions one at a time, elsewhere; their failures are raised as MeasureError."""

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = LIMIT_S
    ) -> Future[T]: ...


class Backend(CallExecutor, Protocol):
    """An executor for one device; knows the other devices there."""

    def devices(self) -> tuple[str, ...]: ...

    def stop(self) -> None: ...


def backend(device: str = "cpu") -> Backend:
    """The backend of a device, the first if several machines have one. Raises MeasureError."""
    return backends(device)[0]


def backends(device: str = "cpu") -> tuple[Backend, ...]:
    """A backend for each machine with such a device; at least one. Raises MeasureError.

    A sweep stays on one of them, since measurements of two machines are not comparable.
    """
    if address := scheduler_address():
        from studio.process import dask_backend  # an optional extra

        return dask_backend.backends(address, device)
    return (worker(device),)


def scheduler_address() -> str:
    """The address of the Dask scheduler; empty if this machine measures."""
    return os.environ.get(SCHEDULER_VARIABLE, "")


def canonical_device(name: str) -> str:
    """The canonical name of a device of this machine; a cluster resolves names itself. Raises
    MeasureError if this machine has no such device."""
    return name if scheduler_address() else resolve_device(name)


def devices() -> tuple[str, ...]:
    """The devices that can measure, `cpu` first if there is one. Raises MeasureError.

    Known at once for this machine; a cluster is asked, which may take seconds.
    """
    if address := scheduler_address():
        from studio.process import dask_backend

        return dask_backend.devices(address)
    return local.devices()


def platforms(device: str) -> tuple[Platform, ...]:
    """The platforms that such a device measures on: stored measurements of these are still
    valid."""
    if address := scheduler_address():
        from studio.process import dask_backend

        return tuple(backend.platform() for backend in dask_backend.backends(address, device))
    return (local_platform(resolve_device(device)),)
