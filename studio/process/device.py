"""The devices of this machine, each with one canonical name."""

from __future__ import annotations

import platform
from pathlib import Path

from studio.process.errors import MeasureError
from studio.quoting import echoed


def devices() -> tuple[str, ...]:
    """The devices of this machine: `cpu`, then `cuda:0`, `cuda:1` or `mps:0`."""
    import torch  # imported here, so that other errors do not wait for it

    found = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if found else 0
    return ("cpu", *(f"{found.type}:{i}" for i in range(count) if found))


def resolve_device(name: object) -> str:
    """The canonical name of a device: `cuda` and `cuda:0` are the same. Raises MeasureError."""
    known, wanted = devices(), str(name)
    for device in (wanted, f"{wanted}:0"):
        if device in known:
            return device
    raise MeasureError(f"no {_description(wanted)} here; available: {', '.join(known)}")


def _description(wanted: str) -> str:
    """`CUDA device` for a kind of device, `device cuda:3` for one by number or another name."""
    return f"{wanted.upper()} device" if wanted in ("cuda", "mps") else f"device {echoed(wanted)}"


def device_name(device: str) -> str:
    """The product name of a device, such as `AMD EPYC` or `NVIDIA H200`."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(named, platform.processor() or platform.machine())
    return processor if device == "cpu" else f"{processor} ({device})"
