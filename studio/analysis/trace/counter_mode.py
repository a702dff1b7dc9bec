"""A dispatch mode that counts MACs and live bytes, operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, UntypedStorage
from torch.utils.flop_counter import flop_registry

from studio.analysis.torch_private import TorchDispatchMode, storage_id, tree_leaves
from studio.analysis.trace.allocations import Timeline
from studio.analysis.trace.rules.meta_kernels import META_KERNELS

Event = tuple[int, int] | Timeline  # a storage's number and bytes, or a timeline


def memory_of(tensor: Tensor) -> int:
    """The identity of a tensor's memory: equal for a tensor and its views, while both are alive."""
    return storage_id(tensor.untyped_storage())


class CounterState(NamedTuple):
    """The state of the counter, to be subtracted from a later one."""

    macs: int
    activation_count: int
    live_bytes: int
    peak_bytes: int


class Counts(NamedTuple):
    """MACs, elements written by convolutions and matrix products, and the peak of live bytes beyond
    those at the start."""

    macs: int
    activation_count: int
    peak_bytes: int


class CounterMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts while it is active. `peak` is the peak of live bytes since the last `begin`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = self.written = self.alive = self.peak = 0
        self._watched: dict[int, weakref.ref[Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Private hook: skipping dynamo would import torch's compiler, which takes a second."""
        return False

    def begin(self) -> CounterState:
        mark = CounterState(self.macs, self.written, self.alive, self.peak)
        self.peak = self.alive
        return mark

    def end(self, mark: CounterState) -> Counts:
        """What was counted since `begin`."""
        peak, self.peak = self.peak, max(mark.peak_bytes, self.peak)
        return Counts(
            self.macs - mark.macs, self.written - mark.activation_count, peak - mark.live_bytes
        )

    def add(self, macs: int, written: int, peak: int = 0) -> None:
        """Count known work that is not run."""
        self.macs += macs
        self.written += written
        self.peak = max(self.peak, self.alive + peak)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        kernel = META_KERNELS.get(func)
        result = kernel(*args, **kwargs) if kernel else None
        result = func(*args, **kwargs) if result is None else result
        leaves = [result] if isinstance(result, Tensor) else tree_leaves(result)
        made = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        formula: Callable[..., int] | None = flop_registry.get(func.overloadpacket)
        if formula is not None:
            # torch counts 2 FLOPs for one multiply-accumulate
            self.macs += formula(*args, **kwargs, out_val=result) // 2
            self.written += sum(t.numel() for t in made)
        given = {memory_of(arg) for arg in args if isinstance(arg, Tensor)}
        self.watch(t for t in made if memory_of(t) not in given)  # no views
        return result

    def watch(self, tensors: Iterable[Tensor]) -> None:
        """Count these tensors as live until their storages are freed."""
        for tensor in tensors:
            self._watch(tensor)

    def _watch(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        key = memory_of(tensor)
        if key in self._watched:
            return
        size = memory.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        self._watched[key] = weakref.ref(memory, partial(self._on_release, key, size))

    def _on_release(self, key: int, size: int, _: Any) -> None:
        self.alive -= size
        del self._watched[key]


class AllocationRecorder(CounterMode):  # type: ignore[no-untyped-call]
    """A counter that also records every storage allocated (+) and freed (-), in order.

    Each storage has a unique number. A `Timeline` among the events stands for known work that is
    not run. A mark (of size 0) is where a storage of the caller can be freed if the caller has no
    other reference to it: if it is freed before the next allocation, the release is recorded at the
    mark.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self._numbers: dict[int, int] = {}  # storage id -> number, while it is alive
        self._next = 0
        self._marks: dict[int, int] = {}  # number -> index of the event where it may be freed
        self._silent: set[int] = set()  # numbers whose release is in a timeline already

    def storage_number(self, tensor: Tensor) -> int:
        """The number of a tensor's storage; a storage that existed before has its id, a far larger
        number."""
        return self.number_of(tensor.untyped_storage())

    def number_of(self, memory: UntypedStorage) -> int:
        key = storage_id(memory)
        return self._numbers.get(key, key)

    def adopt(self, tensors: Iterable[Tensor]) -> None:
        """Watch tensors whose allocation is in a timeline already."""
        events, marks = self.events, self._marks
        self.events, self._marks = [], {}
        self.watch(tensors)
        self.events, self._marks = events, marks

    def silence(self, tensor: Tensor) -> None:
        """Do not record the release of this tensor; it is in a timeline already."""
        self._silent.add(self.storage_number(tensor))

    def mark(self, number: int) -> None:
        self._marks[number] = len(self.events)
        self.events.append((number, 0))

    def append(self, timeline: Timeline) -> None:
        self.events.append(timeline)

    def clear_marks(self) -> None:
        """Called when another autograd node begins."""
        self._marks.clear()

    @contextmanager
    def separate_events(self) -> Iterator[list[Event]]:
        """Record events within into a list of their own, and do not count their work."""
        outer, marks, counted = self.events, self._marks, (self.macs, self.written)
        self.events, self._marks = [], {}
        try:
            yield self.events
        finally:
            self.events, self._marks = outer, marks
            self.macs, self.written = counted

    def _watch(self, tensor: Tensor) -> None:
        before = self.alive
        super()._watch(tensor)
        if self.alive > before:
            self._marks.clear()
            self._next += 1
            self._numbers[memory_of(tensor)] = self._next
            self.events.append((self._next, self.alive - before))

    def _on_release(self, key: int, size: int, memory: Any) -> None:
        super()._on_release(key, size, memory)
        number = self._numbers.pop(key, 0)
        if number in self._silent:
            self._silent.discard(number)
        elif number in self._marks:
            self.events[self._marks.pop(number)] = (number, -size)
        elif size:
            self.events.append((number, -size))
