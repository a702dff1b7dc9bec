from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.process.worker import Worker


@pytest.fixture(scope="session")
def lab() -> Iterator[Worker]:
    """A measuring process with 2 GB to itself; what a test breaks is replaced for the next."""
    worker = Worker(memory_bytes=2 * 10**9)
    yield worker
    worker.stop()
