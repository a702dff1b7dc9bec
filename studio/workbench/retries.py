"""Measuring again by itself what was measured on a busy machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from studio.process.backend import scheduler_address

QUIET = 0.5  # of the cores, busy on the average of the last minute
TRIES = 5  # that are made by themselves
RETRY_S = 20.0  # between two of them


@dataclass
class Retries:
    """Measuring again by itself once the machine is quiet."""

    left: int = TRIES
    next_at: float = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether to measure now, by a clock in seconds; counts as tried if so."""
        if not self.left or now_s < self.next_at or not is_quiet():
            return False
        self.left, self.next_at = self.left - 1, now_s + RETRY_S
        return True


def is_quiet() -> bool:
    """Whether this machine has been at rest for the last minute; of a cluster it is not known."""
    if scheduler_address() or not hasattr(os, "getloadavg"):
        return False
    return os.getloadavg()[0] <= QUIET * (os.cpu_count() or 1)
