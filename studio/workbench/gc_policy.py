"""Run the garbage collector only while the server draws nothing.

A collection of old objects stops every thread: for 0.2 s once torch is loaded, for 0.7 s with forty
open pages, and every two seconds while they are used. Here a collection runs every few seconds, at
a moment when nothing is drawn, and freezes the remaining objects (`gc.freeze`), so that the next
one is short. Everything is collected once the server is idle, or earlier if the number of frozen
objects has grown by half. That frees the cycles of closed pages even on a server that is never
idle, and returns the memory to the operating system.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep

from studio.workbench.priority import Priority

BETWEEN_COLLECTIONS_S = 5.0
MAX_WAIT_FOR_QUIET_S = 5.0  # then it collects while a page is drawn
IDLE_BEFORE_FULL_S = 120.0  # without a page drawn, before everything is collected once
POLL_S = 0.02  # between two checks whether a page is drawn
NEVER = 1_000_000  # a threshold that is not reached
MAX_GROWTH = 1.5  # of the frozen objects since the last full collection, before the next one


class GcPolicy:
    """Collects garbage in this process while `priority` says that nothing is drawn."""

    def __init__(
        self, priority: Priority, sleep: Callable[[float], None] = sleep, growth: float = MAX_GROWTH
    ) -> None:
        self._priority, self._sleep, self._growth = priority, sleep, growth

    def start(self) -> None:
        """Start the thread, and switch off Python's own collection of old objects."""
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        Thread(target=self.run, name="garbage", daemon=True).start()

    def run(self) -> None:
        """Collect again and again. Does not return."""
        is_clean = False  # whether everything was collected since a page was drawn
        left = collect(everything=True)
        while True:
            self._sleep(BETWEEN_COLLECTIONS_S)
            rested = self._priority.rested_s > IDLE_BEFORE_FULL_S
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
        end = monotonic() + MAX_WAIT_FOR_QUIET_S
        while self._priority.rested_s == 0 and monotonic() < end:
            sleep(POLL_S)


def collect(everything: bool) -> int:
    """Free reference cycles, among all objects or only those made since the last collection.
    Returns the number of objects that are left."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


def return_memory() -> None:
    """Return freed memory to the operating system; else the allocator would keep it."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
