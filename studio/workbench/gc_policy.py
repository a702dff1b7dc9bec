"""Cyclic garbage is looked for when nobody waits for a figure.

Python now and then walks through all its objects, and every thread stands still meanwhile: 0.2 s
once torch is loaded, 0.7 s with the pages of a class of forty, every two seconds while they work.
Here a walk comes every few seconds, in a moment when nothing is drawn, and what it leaves is not
walked through again (`gc.freeze`), so it is short. All of it is walked through once the server
rests, and before that whenever what is left out has grown by half: that finds the cycles of pages
that were closed, also on a server that never rests, and then gives the freed memory back to the
system.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from threading import Thread
from time import monotonic, sleep

from studio.workbench.priority import PRECEDENCE

PAUSE_S = 5.0  # between two walks
PATIENCE_S = 5.0  # for a moment when nothing is drawn
REST_S = 120.0  # without a page drawn, after which all is walked through, once
LOOK_S = 0.02
NEVER = 1_000_000
GROWN = 1.5  # times what the last walk through everything has left


@cache
def tend() -> None:
    """From now on, in this process."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    Thread(target=_tend, name="garbage", daemon=True).start()


def _tend() -> None:
    whole = False  # whether all has been walked through since a page was drawn
    left = walk(everything=True)
    while True:
        sleep(PAUSE_S)
        rested = PRECEDENCE.rested_s > REST_S
        if rested and whole:
            continue
        _wait_for_quiet()
        if rested or gc.get_freeze_count() > GROWN * left:
            left = walk(everything=True)
            give_back()
        else:
            walk(everything=False)
        whole = rested


def walk(everything: bool) -> int:
    """Free the cycles among what was made since the last walk, or among everything; the number of
    objects that are left."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


def give_back() -> None:
    """Return freed memory to the system, which its allocator would keep."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _wait_for_quiet() -> None:
    end = monotonic() + PATIENCE_S
    while PRECEDENCE.rested_s == 0 and monotonic() < end:
        sleep(LOOK_S)
