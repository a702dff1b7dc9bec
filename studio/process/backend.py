"""Where measurements run: on this machine, or on a cluster that is there already.

An engine is shaped like an executor of concurrent.futures, but a call has a time limit, and a
cancel stops a call that has begun. By default it is the measuring process of this machine; where
the environment variable STUDIO_SCHEDULER names a Dask scheduler (`tcp://host:port`), the same calls
go there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol, TypeVar

from studio.process import device as local
from studio.process.device import device_name, resolve_device
from studio.process.worker import LIMIT_S, worker

T = TypeVar("T")
SCHEDULER_VARIABLE = "STUDIO_SCHEDULER"


class Platform(NamedTuple):
    """What a figure is a figure of, beside the subject and the conditions."""

    machine: str
    torch_version: str


class CallExecutor(Protocol):
    """Calls functions one at a time, elsewhere; their failures come as MeasureError."""

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = LIMIT_S
    ) -> Future[T]: ...


class Backend(CallExecutor, Protocol):
    """One device, and what other devices there are where it is."""

    def devices(self) -> tuple[str, ...]: ...

    def stop(self) -> None: ...


def backend(device: str = "cpu") -> Backend:
    """The engine of a device, the first where several machines have one. Raises MeasureError."""
    return backends(device)[0]


def backends(device: str = "cpu") -> tuple[Backend, ...]:
    """An engine for each machine with such a device; at least one. Raises MeasureError.

    A sweep keeps to one of them, since figures of two machines do not compare.
    """
    if address := scheduler_address():
        from studio.process import dask_backend  # an optional extra

        return dask_backend.backends(address, device)
    return (worker(device),)


def scheduler_address() -> str:
    """The address of the cluster that measures; empty where this machine does."""
    return os.environ.get(SCHEDULER_VARIABLE, "")


def canonical_device(name: str) -> str:
    """The one name of a device of this machine; a cluster finds its own by any. Raises
    MeasureError where this machine has no such device."""
    return name if scheduler_address() else resolve_device(name)


def devices() -> tuple[str, ...]:
    """What can be measured on, `cpu` first where there is one. Raises MeasureError.

    Of this machine it is known at once; a cluster is asked, which may take seconds.
    """
    if address := scheduler_address():
        from studio.process import dask_backend

        return dask_backend.devices(address)
    return local.devices()


def platforms(device: str) -> tuple[Platform, ...]:
    """Where such a device is measured: older figures of these places are still good."""
    if address := scheduler_address():
        from studio.process import dask_backend

        return tuple(engine.platform() for engine in dask_backend.backends(address, device))
    return (local_platform(resolve_device(device)),)


def local_platform(device: str) -> Platform:
    """This machine, as its measurements name it."""
    import torch

    return Platform(device_name(device), torch.__version__)
