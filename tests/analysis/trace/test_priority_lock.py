"""Who waits for a trace: a hand on a slider, and everybody else."""

from __future__ import annotations

from threading import Thread
from time import sleep

from studio.analysis.trace.priority_lock import PriorityLock, prioritize


def test_who_is_in_a_hurry_goes_first() -> None:
    turns, served = PriorityLock(), []

    def ask(name: str) -> None:
        with turns.hold():
            served.append(name)

    def ask_hurried(name: str) -> None:
        with prioritize():
            ask(name)

    with turns.hold():
        others = [Thread(target=ask, args=("other",)) for _ in range(3)]
        threads = [*others, Thread(target=ask_hurried, args=("hand",))]
        for thread in threads:
            thread.start()
        sleep(0.1)
    for thread in threads:
        thread.join(5)
    assert served == ["hand", "other", "other", "other"]
