"""The devices that can measure: those of this machine, or of the cluster once it has answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic

from studio.knobs import DesignError
from studio.process import backend
from studio.quoting import quoted

DEFAULT_DEVICE = "cpu"  # where nothing is known, and wherever there is one
MAX_AGE_S = 30.0  # of what a cluster has answered


class Devices:
    """`ask` returns the devices of this machine at once. A cluster is asked in the background,
    since the page must not wait for one that is away, and again after `max_age_s` seconds, since
    its workers come and go."""

    def __init__(
        self, ask: Callable[[], tuple[str, ...]] = backend.devices, max_age_s: float = MAX_AGE_S
    ) -> None:
        self._ask, self._max_age_s, self._lock = ask, max_age_s, Lock()
        self._pool = ThreadPoolExecutor(1, "devices")
        self._question: Future[tuple[str, ...]] | None = None
        self._asked_at = 0.0
        self._answer: tuple[str, ...] = ()
        self._address = ""  # of the cluster that has answered

    def known(self) -> tuple[str, ...]:
        """`cpu` first; none as long as a cluster has not answered."""
        address = backend.scheduler_address()
        with self._lock:
            if address != self._address:
                self._address, self._answer, self._question = address, (), None
            if not address:
                self._answer = self._answer or self._ask()
            else:
                self._ask_cluster()
            return self._answer

    def _ask_cluster(self) -> None:
        if self._question and self._question.done():
            if not self._question.exception():
                self._answer = self._question.result()
            if monotonic() - self._asked_at > self._max_age_s:
                self._question = None
        if self._question is None:
            self._question, self._asked_at = self._pool.submit(self._ask), monotonic()


def find_device(name: str, known: Sequence[str]) -> str:
    """The known device of this name, `cuda` being `cuda:0`; any, as long as none are known. Raises
    DesignError, which lists those that there are."""
    for device in (name, f"{name}:0"):
        if device in known or not known:
            return device
    raise DesignError(
        f"no device {quoted(name)}; available: {', '.join(known)}",
        knob="device",
        value=name,
        nearest=tuple(known),
    )
