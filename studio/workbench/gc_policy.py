"""Run the garbage collector only while the server draws nothing.

A collection of old objects stops every thread: 0.2 s once torch is loaded, 0.7 s with the pages of
a class of forty, every two seconds while they work. Here a collection runs every few seconds, at a
moment when nothing is drawn, and freezes what it leaves (`gc.freeze`), so that the next one is
short. Everything is collected once the server rests, and before that whenever the frozen objects
have grown by half: that finds the cycles of closed pages, also on a server that never rests, and
the freed memory goes back to the operating system.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep

from studio.workbench.priority import Priority

PAUSE_S = 5.0  # between two walks
PATIENCE_S = 5.0  # for a moment when nothing is drawn
REST_S = 120.0  # without a page drawn, after which all is walked through, once
LOOK_S = 0.02
NEVER = 1_000_000
GROWN = 1.5  # times what the last walk through everything has left


class GcPolicy:
    """Collects garbage in this process while nothing is drawn, as `priority` tells."""

    def __init__(
        self, priority: Priority, sleep: Callable[[float], None] = sleep, growth: float = GROWN
    ) -> None:
        self._priority, self._sleep, self._growth = priority, sleep, growth

    def start(self) -> None:
        """From now on, in this process: Python's own collection of old objects is off."""
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        Thread(target=self.run, name="garbage", daemon=True).start()

    def run(self) -> None:
        """Collect again and again. Does not return."""
        is_clean = False  # whether everything was collected since a page was drawn
        left = collect(everything=True)
        while True:
            self._sleep(PAUSE_S)
            rested = self._priority.rested_s > REST_S
            if rested and is_clean:
                continue
            self._wait_for_quiet()
            if rested or gc.get_freeze_count() > self._growth * left:
                left = collect(everything=True)
                return_memory()
            else:
                collect(everything=False)
            is_clean = rested

    def _wait_for_quiet(self) -> None:
        end = monotonic() + PATIENCE_S
        while self._priority.rested_s == 0 and monotonic() < end:
            sleep(LOOK_S)


def collect(everything: bool) -> int:
    """Free the cycles among the objects made since the last collection, or among all. Returns the
    number of objects that are left."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


def return_memory() -> None:
    """Return freed memory to the operating system, which the allocator would keep."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
