from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from studio import measurable
from studio.process.errors import MeasureError
from studio.process.free_memory import (
    MEMINFO,
    available_bytes,
    linux_bytes,
    require_free_memory,
)

MEMORY = sys.modules[
    require_free_memory.__module__
]  # the face has a function at the name `studio.bench`


def test_some_memory_is_available_and_no_more_than_there_is():
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < available_bytes() <= installed


def test_what_fits_is_admitted():
    require_free_memory(1_000_000, "LeNet-5")


def test_what_does_not_fit_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MEMORY, "available_bytes", lambda: 5 * 10**9)
    require_free_memory(2_800_000_000, "what needs 4.96 GB")
    with pytest.raises(MeasureError, match=r"ViT-H/14 needs about 5.3 GB .* 5.0 GB free$"):
        require_free_memory(3_000_000_000, "ViT-H/14")


def test_a_refusal_offers_what_takes_the_room_there_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MEMORY, "available_bytes", lambda: 5 * 10**9)
    with pytest.raises(MeasureError, match=r"free; the nearest that fits is batch=2$") as refused:
        require_free_memory(
            3_000_000_000, "ViT-H/14", lambda room: f"batch={room // 1_400_000_000:.0f}"
        )
    require_free_memory(2_800_000_000, str(refused.value))


def test_a_device_is_asked_for_its_own_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MEMORY, "available_bytes", lambda: 10**12)
    monkeypatch.setattr(MEMORY, "resolve_device", {"cuda": "cuda:0", "mps": "mps:0"}.get)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * 10**9, 80 * 10**9))
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 4 * 10**9)
    require_free_memory(3_000_000_000, "ViT-H/14")
    MEMORY._device_bytes.cache_clear()
    for device, free in {"cuda": "5.0", "mps": "4.0"}.items():
        with pytest.raises(MeasureError, match=f"5.3 GB .*, {device} has {free} GB free$"):
            require_free_memory(3_000_000_000, "ViT-H/14", device=device)
    MEMORY._device_bytes.cache_clear()


def test_a_device_that_is_not_there_has_no_memory():
    with pytest.raises(MeasureError, match="no device nosuch here; available: cpu"):
        require_free_memory(1, "LeNet-5", device="nosuch")


def test_of_a_clusters_memory_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(MEMORY, "available_bytes", lambda: 10**6)
    assert "0.0 GB free" in measurable.memory_problem(10**9, "ViT-H/14")
    monkeypatch.setenv("STUDIO_SCHEDULER", "tcp://127.0.0.1:1")
    assert not measurable.memory_problem(10**9, "ViT-H/14")
    assert not measurable.memory_problem(10**9, "ViT-H/14", "cuda:0")


TWO = {"memory.max": "1000", "memory.current": "600", "memory.stat": "anon 500\ninactive_file 100"}
ONE = {"memory.limit_in_bytes": "800", "memory.usage_in_bytes": "200"}


@pytest.mark.parametrize(
    ("own", "folder", "files", "free"),
    [
        ("0::/studio.service/a", "/sys/fs/cgroup/studio.service", TWO, 500),
        ("0::/", "/sys/fs/cgroup", TWO, 500),
        ("4:memory:/docker/a", "/sys/fs/cgroup/memory", ONE, 600),
    ],
)
def test_a_container_has_what_its_limit_leaves(
    own: str, folder: str, files: dict[str, str], free: int
):
    texts = {MEMINFO: "MemFree: 1 kB\nMemAvailable: 9 kB", Path("/proc/self/cgroup"): "1:cpu:/"}
    assert linux_bytes(lambda path: texts.get(path, "")) == 9 * 1024
    texts |= {Path("/proc/self/cgroup"): f"1:cpu:/\n{own}"}
    texts |= {Path(folder) / name: text for name, text in files.items()}
    assert linux_bytes(lambda path: texts.get(path, "")) == free
