"""A meter under the model: multiply-accumulates and bytes alive, operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


def storage(tensor: Tensor) -> int:
    """Which memory a tensor looks at: equal for a tensor and its views, while both are alive."""
    place: int = tensor.untyped_storage()._cdata
    return place


class Mark(NamedTuple):
    """A reading of the meter, to be subtracted from a later one."""

    macs: int
    alive: int
    peak: int


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts while it is active. `peak` is the most alive since the last `begin`."""

    def __init__(self, *, watch_memory: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = self.alive = self.peak = 0
        self.watch_memory = watch_memory
        self._watched: dict[int, weakref.ref[Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nobody compiles under the meter; guarding against it costs a second's import."""
        return False

    def begin(self) -> Mark:
        mark = Mark(self.macs, self.alive, self.peak)
        self.peak = self.alive
        return mark

    def end(self, mark: Mark) -> tuple[int, int]:
        """MACs since the mark, and the most bytes alive since then beyond those alive at it."""
        peak, self.peak = self.peak, max(mark.peak, self.peak)
        return self.macs - mark.macs, peak - mark.alive

    def add(self, macs: int, peak: int) -> None:
        """Enter work that is known and need not be run."""
        self.macs += macs
        self.peak = max(self.peak, self.alive + peak)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula: Callable[..., int] | None = flop_registry.get(func.overloadpacket)
        if formula is not None:
            # torch counts 2 FLOPs for one multiply-accumulate
            self.macs += formula(*args, **kwargs, out_val=result) // 2
        if self.watch_memory:
            given = {storage(arg) for arg in args if isinstance(arg, Tensor)}
            leaves = (leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
            self.watch(leaf for leaf in leaves if storage(leaf) not in given)  # no views
        return result

    def watch(self, tensors: Iterable[Tensor]) -> None:
        """Note that these are alive now, and when they no longer are."""
        if self.watch_memory:
            for tensor in tensors:
                self._watch(tensor)

    def _watch(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        place = storage(tensor)
        if place in self._watched:
            return
        size = memory.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        self._watched[place] = weakref.ref(memory, partial(self._released, place, size))

    def _released(self, place: int, size: int, _: Any) -> None:
        self.alive -= size
        del self._watched[place]
