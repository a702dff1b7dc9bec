"""Cyclic garbage is looked for when nobody waits for a figure.

Python now and then walks through all its objects, and every thread stands still meanwhile: 0.2 s
once torch is loaded, 0.7 s with the pages of a class of forty, every two seconds while they work.
Here a walk comes every few seconds, in a moment when nothing is drawn, and what it leaves is not
walked through again (`gc.freeze`), so it is short. Once the server rests, all of it is: that finds
the cycles of pages that were closed.
"""

from __future__ import annotations

import gc
from functools import cache
from threading import Thread
from time import monotonic, sleep

from studio.app.precedence import PRECEDENCE

PAUSE_S = 5.0  # between two walks
PATIENCE_S = 5.0  # for a moment when nothing is drawn
REST_S = 120.0  # without a page drawn, after which all is walked through, once
LOOK_S = 0.02
NEVER = 1_000_000


@cache
def tend() -> None:
    """From now on, in this process."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    Thread(target=_tend, name="garbage", daemon=True).start()


def _tend() -> None:
    whole = False  # whether all has been walked through since a page was drawn
    while True:
        sleep(PAUSE_S)
        rested = PRECEDENCE.rested_s > REST_S
        if rested and whole:
            continue
        _wait_for_quiet()
        walk(everything=rested)
        whole = rested


def walk(everything: bool) -> None:
    """Free the cycles among what was made since the last walk, or among everything."""
    if everything:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def _wait_for_quiet() -> None:
    end = monotonic() + PATIENCE_S
    while PRECEDENCE.rested_s == 0 and monotonic() < end:
        sleep(LOOK_S)
