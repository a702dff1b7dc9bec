"""One thread a test process, the same random cases on every machine, and a cache of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from studio.bench.store import store
from studio.process.worker import Worker

torch.set_num_threads(1)  # two workers with two threads each would fight over two cores

# A run that fails can be repeated anywhere. Other cases: HYPOTHESIS_PROFILE=default.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing is read from the user's own measurements, and nothing is written there."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDIO_CACHE", str(folder))
        store.cache_clear()
        yield folder
    store.cache_clear()


@pytest.fixture(scope="session")
def lab() -> Iterator[Worker]:
    """A worker process with 2 GB to itself; what a test breaks is replaced for the next."""
    worker = Worker(memory_bytes=2 * 10**9)
    yield worker
    worker.stop()
