"""The platform of a measurement: the machine and the version of torch that it is valid for."""

from __future__ import annotations

from typing import NamedTuple

from studio.process.device import device_name

SCHEDULER_VARIABLE = "STUDIO_SCHEDULER"  # the environment variable that names a Dask scheduler


class Platform(NamedTuple):
    """The machine and torch version that a measurement is valid for."""

    machine: str
    torch_version: str


def local_platform(device: str) -> Platform:
    """The platform of this machine."""
    import torch

    return Platform(device_name(device), torch.__version__)
