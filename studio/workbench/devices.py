"""The devices that can measure: those of this machine, or of the cluster once it has answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from studio.knobs import DesignError
from studio.process import backend
from studio.quoting import quoted

DEFAULT_DEVICE = "cpu"  # where nothing is known, and wherever there is one


class Devices:
    """`ask` returns the devices of this machine at once. A cluster is asked in the background,
    since the page must not wait for one that is away."""

    def __init__(self, ask: Callable[[], tuple[str, ...]] = backend.devices) -> None:
        self._ask, self._lock = ask, Lock()
        self._pool = ThreadPoolExecutor(1, "devices")
        self._answers: dict[str, Future[tuple[str, ...]]] = {}  # by the address of the cluster

    def known(self) -> tuple[str, ...]:
        """`cpu` first; none as long as a cluster has not answered."""
        address = backend.scheduler_address()
        with self._lock:
            answer = self._answers.get(address)
            if answer is None or (answer.done() and answer.exception()):
                answer = self._answers[address] = self._pool.submit(self._ask)
        if not address:
            return answer.result()
        return answer.result() if answer.done() and not answer.exception() else ()


def find_device(name: str, known: Sequence[str]) -> str:
    """The known device of this name, `cuda` being `cuda:0`; any, as long as none are known. Raises
    DesignError, which lists those that there are."""
    for device in (name, f"{name}:0"):
        if device in known or not known:
            return device
    raise DesignError(
        f"there is no device {quoted(name)} to measure on; there is {' and '.join(known)}",
        knob="device",
        value=name,
        nearest=tuple(known),
    )
