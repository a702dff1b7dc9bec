"""The same calls on an existing Dask cluster.

Each Dask worker that has the device (as a resource of that name) is a backend. A call runs in the
worker process of that machine, a child of the Dask worker, so it keeps its time limit, its memory
limit and its cancel, and only Dask moves data. If a Dask worker dies, its call is sent once more,
to another one.

Dask unpickles what reaches a scheduler: anybody who can reach its port can run code on the cluster.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from functools import cache
from socket import gethostname
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from studio.process.errors import MeasureError
from studio.process.platform import SCHEDULER_VARIABLE, Platform, local_platform
from studio.process.worker import LIMIT_S, NoWorkerError, worker
from studio.quoting import cut, echoed

try:
    import distributed
    from distributed.client import FutureCancelledError
    from distributed.comm import connect
    from distributed.core import Status
except ImportError:
    raise NoWorkerError(
        f"{SCHEDULER_VARIABLE} names a cluster, which needs the extra `cluster`:"
        " pip install 'neural-architecture-studio[cluster]'"
    ) from None

T = TypeVar("T")

WorkerDevices = Mapping[str, tuple[str, ...]]
CLOSE_S = 2.0
CONNECT_S = 5.0
ANSWER_S = 30.0  # a scheduler that has not answered by then hangs
POLL_S = 0.25  # between checks whether a running call is still wanted
ATTEMPTS = 2
GRACE_S = 10.0  # Dask's nanny restarts a dead worker in 3 s


class ClusterCall(Future[T]):
    """A call on its way through the cluster. `cancel` stops it even after it has started."""

    def __init__(self, remote: ClusterDevice, send: Callable[[str], distributed.Future[T]]) -> None:
        super().__init__()
        self.set_running_or_notify_cancel()
        self._remote, self._send = remote, send
        self._cancelled = Event()
        Thread(target=self._run, name="cluster", daemon=True).start()

    def cancel(self) -> bool:
        self._cancelled.set()
        return not self.done()

    def _run(self) -> None:
        try:
            self.set_result(self._outcome())
        except CancelledError as error:  # by us, or by a client whose scheduler is gone
            self.set_exception(error if self._cancelled.is_set() else self._remote.lost())
        except MeasureError as error:
            self.set_exception(self._remote.root_cause(error))
        except Exception as error:  # Dask raises many kinds
            self.set_exception(self._remote.root_cause(dask_failure(error)))

    def _outcome(self) -> T:
        for _ in range(ATTEMPTS):
            worker_address = self._remote.find_worker(self._cancelled)
            with contextlib.suppress(ClusterWorkerLostError):
                return self._at(worker_address)
        raise MeasureError("two workers of the cluster ended without a result")

    def _at(self, worker_address: str) -> T:
        """The result of the call at this Dask worker."""
        sent = self._send(worker_address)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    result: T = sent.result(timeout=POLL_S)
                    return result
                if self._cancelled.is_set():
                    raise CancelledError
                if worker_address not in self._remote.worker_addresses():
                    raise ClusterWorkerLostError
        except FutureCancelledError:
            raise self._remote.lost() from None
        finally:
            sent.cancel()  # `run_guarded` checks whether it is still wanted


class ClusterWorkerLostError(Exception):
    """The Dask worker has left the cluster."""


class ClusterDevice:
    """A device of one Dask worker, or of another one once that is gone."""

    def __init__(
        self,
        client: distributed.Client,
        scheduler: str,
        worker_address: str,
        device: str,
        resource: str,
    ) -> None:
        self.device, self._resource = device, resource
        self._client, self._worker_address = client, worker_address
        self._scheduler = scheduler

    def submit(
        self, function: Callable[..., T], /, *arguments: Any, limit_s: float = LIMIT_S
    ) -> ClusterCall[T]:
        """Call a function that the cluster can import."""

        def send(worker_address: str) -> distributed.Future[T]:
            return self._client.submit(
                run_guarded,
                *(function, arguments, limit_s, self.device),
                pure=False,  # a repeated measurement is a new one
                resources={self._resource: 1},
                workers=[worker_address],
                priority=-time.time_ns(),  # first come, first served; Dask's default starves some
            )

        return ClusterCall(self, send)

    def devices(self) -> tuple[str, ...]:
        return _device_names(self._offers())

    def stop(self) -> None:
        self._client.close()

    def platform(self) -> Platform:
        """The platform of the Dask worker, as it reports it."""
        try:
            (found,) = self._client.run(
                local_platform_with_host, self.device, workers=[self._worker_address]
            ).values()
        except Exception as error:
            raise self.root_cause(dask_failure(error)) from None
        return Platform(*found)

    def find_worker(self, cancelled: Event) -> str:
        """The worker that measures. Raises NoWorkerError where none is left, or comes back."""
        end = time.monotonic() + GRACE_S
        while not (workers := self.worker_addresses()):
            if cancelled.wait(POLL_S):
                raise CancelledError
            if time.monotonic() > end:
                gone = f"no worker of the cluster has the device {self.device} any more"
                raise NoWorkerError(gone)
        if self._worker_address not in workers:
            self._worker_address = workers[0]
        return self._worker_address

    def worker_addresses(self) -> tuple[str, ...]:
        offers = self._offers().items()
        return tuple(worker_address for worker_address, names in offers if self._resource in names)

    def root_cause(self, error: MeasureError) -> MeasureError:
        """The error to raise: that the scheduler is gone, if it is, else `error`."""
        try:
            self._offers()
        except NoWorkerError as scheduler_lost:
            return scheduler_lost
        return error

    def lost(self) -> NoWorkerError:
        return NoWorkerError(f"the scheduler at {self._scheduler} has gone away")

    def _offers(self) -> WorkerDevices:
        try:
            return worker_devices(self._client)
        except Exception:
            raise self.lost() from None


def backends(address: str, device: str) -> tuple[ClusterDevice, ...]:
    """A backend for each Dask worker with this device. Raises MeasureError."""
    client, found = _connect(address)
    for resource in dict.fromkeys((device, f"{device}:0", device.removesuffix(":0"))):
        if addresses := [
            worker_address for worker_address, names in found.items() if resource in names
        ]:
            with _FIRST:
                return tuple(
                    _cluster_device(client, address, worker_address, device, resource)
                    for worker_address in addresses
                )
    known = _device_names(found)
    offered = (
        f"it has {', '.join(map(echoed, known))}"
        if known
        else "no worker there names a device as its resource"
    )
    raise MeasureError(f"the cluster at {address} has no device {echoed(device)}; {offered}")


def devices(address: str) -> tuple[str, ...]:
    """The devices of all Dask workers, `cpu` first. Raises MeasureError."""
    _, found = _connect(address)
    return _device_names(found)


def _connect(address: str) -> tuple[distributed.Client, WorkerDevices]:
    client = _client(address)
    try:
        return client, worker_devices(client)
    except Exception as error:  # it is gone, and the client has not noticed yet
        raise no_scheduler(address, error) from None


def _device_names(found: WorkerDevices) -> tuple[str, ...]:
    names = {name for names in found.values() for name in names}
    return tuple(sorted(names, key=lambda name: (name != "cpu", name)))


def worker_devices(client: distributed.Client) -> WorkerDevices:
    """The devices of each Dask worker, by its address.

    Raises whatever Dask raises if the scheduler does not answer. (`Client.scheduler_info` returns
    an old answer then, nothing once it has given up, and at times one without workers.)
    """
    identity = client.scheduler.identity
    workers = client.sync(identity, n_workers=-1, callback_timeout=ANSWER_S)["workers"]
    return {
        worker_address: tuple(worker.get("resources", ()))
        for worker_address, worker in workers.items()
    }


def dask_failure(error: Exception) -> MeasureError:
    """Any exception of Dask as a MeasureError of one sentence."""
    reason = str(error) or f"it gave no reason ({type(error).__name__})"
    return MeasureError(cut(f"the cluster could not make the call: {reason}", 300))


def no_scheduler(address: str, error: Exception) -> NoWorkerError:
    return NoWorkerError(
        f"no scheduler answers at {SCHEDULER_VARIABLE}={address} ({error}); start one with"
        " `dask scheduler`, or unset the variable to measure on this machine"
    )


def run_guarded(
    function: Callable[..., T], arguments: tuple[Any, ...], limit_s: float, device: str
) -> T:
    """In a thread of a Dask worker: make the call in the worker process of that machine.

    Dask cannot stop a running task. But it tells the worker if nobody wants the result any more,
    also if the caller has died, and the worker process can be stopped.
    """
    dask = distributed.get_worker()
    key = dask.get_current_task()
    task = worker(device).submit(function, *arguments, limit_s=limit_s)
    while not wait((task,), POLL_S).done:
        if not is_wanted(dask, key):
            task.cancel()
    return with_host_name(task.result())


def is_wanted(dask: distributed.Worker, key: str) -> bool:
    task = dask.state.tasks.get(key)
    at_work = dask.status in (Status.running, Status.paused)  # else its scheduler is gone
    return at_work and task is not None and task.state != "cancelled"


def with_host_name(result: T) -> T:
    """The result with the host name in its device."""
    if not isinstance(result, tuple):
        return result
    named = (
        replace(part, device=f"{part.device} on {gethostname()}")
        if hasattr(part, "device")
        else part
        for part in result
    )
    return tuple(named)  # type: ignore[return-value]


def local_platform_with_host(device: str) -> tuple[str, str]:
    machine, torch_version = local_platform(device)
    return f"{machine} on {gethostname()}", torch_version


_FIRST = Lock()
_clients: dict[str, distributed.Client] = {}


def disconnect() -> None:
    """Close the connections to all schedulers, also to those that have gone."""
    with _FIRST:
        while _clients:
            _, client = _clients.popitem()
            with suppress(Exception):  # of a scheduler that does not answer: Dask has many
                client.close(timeout=CLOSE_S)


def _client(address: str) -> distributed.Client:
    """One connection to a scheduler; a new one if it was lost. Raises NoWorkerError."""
    with _FIRST:
        known = _clients.get(address)
        if known and known.status == "running":
            return known
        try:
            with ThreadPoolExecutor(
                1, "greeting"
            ) as alone:  # a notebook runs an event loop in this thread
                alone.submit(asyncio.run, _check_scheduler(address)).result()
            client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except Exception as error:  # no address, another kind of server: Dask raises many kinds
            raise no_scheduler(address, error) from None
        # Errors of the connection are one sentence, without Dask's own tracebacks.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        atexit.register(client.close)
        _clients[address] = client
        return client


async def _check_scheduler(address: str) -> None:
    """Raise an error if no scheduler answers at this address.

    A client would wait forever for a silent one; and after a failure half-way it cannot be closed,
    waits for 10 s and prints a traceback.
    """
    how = distributed.Security().get_connection_args("client")
    try:
        async with asyncio.timeout(2 * CONNECT_S):
            found = await connect(address, timeout=CONNECT_S, **how)
            await found.close()
    except TimeoutError:
        raise OSError(f"it was silent for {2 * CONNECT_S:g} s") from None


_cluster_device = cache(ClusterDevice)
