"""How much memory is free, and whether a model fits before it is built."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from time import monotonic

from studio.process.device import resolve_device
from studio.process.errors import MeasureError

ReadText = Callable[[Path], str]

# A process needs more than the live bytes of its tensors: up to 1.7 times where convolutions copy
# their inputs and the allocator fragments, plus the libraries that torch loads on first use.
OVERHEAD = 1.7
FIXED_BYTES = 200_000_000

MEMINFO = Path("/proc/meminfo")  # Linux has it

# Where control groups have their limit and usage: version 2 (no named controllers), version 1.
GROUPS = {
    "": (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
    "memory": (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
    ),
}


def require_free_memory(
    needed_bytes: int,
    what: str,
    nearest: Callable[[float], str] = lambda free: "",
    device: str = "cpu",
) -> None:
    """Raise MeasureError, with the memory needed and the memory free, if a workload does not fit.

    `needed_bytes` is the predicted peak of live bytes, `what` the name of the workload. `nearest`
    names an alternative, given the live bytes that fit; this package does not know designs.
    """
    needed, free = OVERHEAD * needed_bytes + FIXED_BYTES, free_bytes(device)
    if needed > free:
        where = "this machine" if device == "cpu" else device
        refusal = (
            f"{what} needs about {needed / 1e9:,.1f} GB to be measured, {where} has"
            f" {free / 1e9:,.1f} GB free"
        )
        advice = nearest(tensor_budget(free))
        raise MeasureError(f"{refusal}; the nearest that fits is {advice}" if advice else refusal)


def tensor_budget(free: float) -> float:
    """The peak of live bytes that fits into `free` bytes of memory."""
    return (free - FIXED_BYTES) / OVERHEAD


def free_bytes(device: str) -> int:
    """Memory that a measurement on this device may use. Raises MeasureError if there is no such
    device.

    Read at most once a second. The first read of a CUDA device takes about a second, and some of
    its memory for as long as this process lives.
    """
    return available_bytes() if device == "cpu" else _device_bytes(device, int(monotonic()))


@lru_cache(maxsize=16)
def _device_bytes(device: str, second: int) -> int:
    import torch  # imported here: the memory of a CPU is known without it

    known = resolve_device(device)
    if known.startswith("cuda"):
        return torch.cuda.mem_get_info(known)[0]
    return torch.mps.recommended_max_memory() if known.startswith("mps") else available_bytes()


def available_bytes() -> int:
    """Memory that a new process may use without swapping, within the limits of its container.

    Read at most once a second, since every point of every chart asks for it.
    """
    return _available_bytes(int(monotonic()))


@lru_cache(maxsize=1)
def _available_bytes(second: int) -> int:
    if MEMINFO.exists():
        return linux_bytes(_text)
    if hasattr(os, "sysconf"):
        # macOS does not report free pages here; half of the memory is what it can usually free.
        pages = os.sysconf("SC_PHYS_PAGES") // 2
        return pages * os.sysconf("SC_PAGE_SIZE")
    return sys.maxsize


def linux_bytes(read: ReadText) -> int:
    """What Linux has free, within the limits of this process's control groups. `read` returns the
    text of a file, and none if there is no such file."""
    return max(0, min(_machine_bytes(read(MEMINFO)), *_cgroup_bytes(read)))


def _machine_bytes(meminfo: str) -> int:
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def _cgroup_bytes(read: ReadText) -> Iterator[int]:
    """The memory left in each control group with a limit that this process is in."""
    yield sys.maxsize
    for line in read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in GROUPS:
            continue
        root, limit, used = GROUPS[controllers]
        own = PurePosixPath(path).relative_to("/")
        for folder in (root / group for group in (own, *own.parents)):
            allowed, taken = read(folder / limit), read(folder / used)
            if allowed.isdigit() and taken.isdigit():
                yield int(allowed) - int(taken) + _page_cache(read(folder / "memory.stat"))


def _page_cache(memory_stat: str) -> int:
    lines = (line.split() for line in memory_stat.splitlines())
    return next((int(fields[1]) for fields in lines if fields[0] == "inactive_file"), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
