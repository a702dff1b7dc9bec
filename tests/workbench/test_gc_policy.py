from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from studio.workbench import gc_policy
from studio.workbench.gc_policy import GcPolicy
from studio.workbench.page_runs import PageRuns
from studio.workbench.priority import Priority


class Ring:
    """Refers to itself, so that only a walk frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def test_a_walk_frees_what_was_made_since_the_last_one() -> None:
    ring = weakref.ref(Ring())
    assert ring()
    gc_policy.collect(everything=False)
    assert ring() is None


def test_what_a_walk_left_is_freed_once_the_server_rests() -> None:
    ring = Ring()
    known = weakref.ref(ring)
    gc_policy.collect(everything=False)
    del ring
    gc_policy.collect(everything=False)
    assert known()
    gc_policy.collect(everything=True)
    assert known() is None


def test_a_server_that_never_rests_walks_through_everything_as_it_grows() -> None:
    """Garbage that was in use at one walk is freed at a later one, under steady use too."""
    rings = [Ring() for _ in range(1000)]
    known = weakref.ref(rings[0])
    naps = iter(range(3))

    def nap(seconds: float) -> None:
        if next(naps, None) is None:
            raise InterruptedError
        rings.clear()

    with pytest.raises(InterruptedError):
        GcPolicy(Priority(PageRuns()), sleep=nap, growth=0.5).run()
    assert known() is None
