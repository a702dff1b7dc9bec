"""The devices that the page offers: those of this machine, or of the cluster once it has answered.

A cluster is asked in the background, since the page must not wait for one that is away.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock

from studio.knobs import DesignError
from studio.process import backend
from studio.quoting import quoted

FIRST = "cpu"  # where nothing is known, and wherever there is one

_first = Lock()
_POOL = ThreadPoolExecutor(1, "devices")
_answers: dict[str, Future[tuple[str, ...]]] = {}  # of clusters, by their addresses


def known_devices() -> tuple[str, ...]:
    """`cpu` first; none as long as a cluster has not answered."""
    if not (address := backend.scheduler_address()):
        return _local()
    with _first:
        answer = _answers.get(address)
        if answer is None or (answer.done() and answer.exception()):
            answer = _answers[address] = _POOL.submit(backend.devices)
    return answer.result() if answer.done() and not answer.exception() else ()


@cache
def _local() -> tuple[str, ...]:
    return backend.devices()


def default_device() -> str:
    return next(iter(known_devices()), FIRST)


def read_device(name: str) -> str:
    """The device of this name, `cuda` being `cuda:0`; any, as long as none are known. Raises
    DesignError, which lists those that there are."""
    there = known_devices()
    for device in (name, f"{name}:0"):
        if device in there or not there:
            return device
    raise DesignError(
        f"there is no device {quoted(name)} to measure on; there is {' and '.join(there)}",
        knob="device",
        value=name,
        nearest=there,
    )
